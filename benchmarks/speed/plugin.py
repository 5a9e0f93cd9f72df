"""A plugin of pytest for ``make bench``: its options, and one table and the JSON, or no time where anything is red."""

import os
import secrets
from collections.abc import Generator
from pathlib import Path
from typing import Any

# The tests would ask for four of them.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")
# Native code has rows of its own; all others are of the once-written code. It is set here, not where the cases are,
# because tests read those in a process that they share with others, which have native code.
os.environ.setdefault("EPLB_XP_KERNELS", "triton")

import pytest
from rich.console import Console

from benchmarks.shared import machine
from benchmarks.speed import table
from benchmarks.speed.candidates import Case, parameters
from benchmarks.speed.loads import FAMILIES_OF_ORDINARY_SIZE, TIMED_SEED, Loads


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which loads, and how long."""
    group = parser.getgroup("eplb-xp")
    group.addoption("--family", choices=FAMILIES_OF_ORDINARY_SIZE, help="loads to plan for, in place of the usual two")
    group.addoption("--seed", type=int, default=secrets.randbits(32), help="of loads that plans are checked on; random")
    group.addoption("--budget", type=float, default=2.0, help="seconds for each time, with its baseline")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every case."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", parameters(metafunc.config.getoption("family")))


@pytest.fixture
def fresh_loads(request: pytest.FixtureRequest) -> Loads:
    """Loads that no run before has seen."""
    return Loads(_family(request), request.config.getoption("seed"))


@pytest.fixture
def timed_loads(request: pytest.FixtureRequest) -> Loads:
    """Loads that every run plans for."""
    return Loads(_family(request), TIMED_SEED)


def _family(request: pytest.FixtureRequest) -> str:
    case: Case = request.node.callspec.params["case"]
    return case.family


@pytest.fixture
def budget(pytestconfig: pytest.Config) -> float:
    """Seconds for one case."""
    seconds: float = pytestconfig.getoption("budget")
    return seconds


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Versions and threads beside pytest-benchmark's own entries; the name of the machine is nobody's business."""
    del machine_info["node"]
    machine_info |= machine.describe()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> Generator[None, Any, Any]:
    """Forget all times before pytest-benchmark writes any, if anything is red or the run was broken off."""
    plugin = _plugin(session.config)
    if exitstatus != pytest.ExitCode.OK:
        plugin.benchmarks.clear()
    if not plugin.benchmarks:
        plugin.json = None
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, and as lines of a page beside the JSON."""
    if benchmarks := _plugin(config).benchmarks:
        timed = [(bench.stats.median, bench.extra_info) for bench in benchmarks]
        json: Path | None = config.getoption("benchmark_json")
        if json is not None:
            json.with_suffix(".md").write_text(table.markdown(timed))
        console = Console(width=100, force_terminal=terminalreporter.hasmarkup)
        with console.capture() as printed:
            console.print(table.table(timed))
        terminalreporter.write(f"\n{printed.get()}\n")


def _plugin(config: pytest.Config) -> Any:
    """pytest-benchmark's session, with what it has timed."""
    return config.pluginmanager.get_plugin("pytest-benchmark")
