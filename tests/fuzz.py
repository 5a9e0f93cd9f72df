"""A plugin of pytest for ``make fuzz``: all properties, on all libraries, on new cases until the time is over."""

import os
import time
from collections import Counter
from collections.abc import Generator
from functools import wraps
from typing import Any

import pytest

# What pytest calls the outcomes of reports, the worse ones last.
OUTCOMES = ("passed", "skipped", "failed", "error")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--minutes", type=float, default=10.0, help="time for all properties and libraries together")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Function]) -> None:
    """Properties are what has cases; each item is told apart by library and property."""
    others = [item for item in items if not getattr(getattr(item, "obj", None), "is_hypothesis_test", False)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
    for item in items:
        library: Any = item.callspec.params.get("library") if hasattr(item, "callspec") else None
        item.user_properties += [
            ("library", library.name if library else "numpy"),
            ("property", f"{item.path.stem}::{item.originalname}"),
        ]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Call a property again and again, and count its cases, until its share of the time is over."""
    test, inner = pyfuncitem.obj, pyfuncitem.obj.hypothesis.inner_test
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = pyfuncitem.config.getoption("minutes") * 60 * workers / len(pyfuncitem.session.items)
    end = time.monotonic() + share
    cases = 0

    @wraps(inner)
    def counted(*args: Any, **arguments: Any) -> None:
        nonlocal cases
        cases += 1
        inner(*args, **arguments)

    def again_and_again(**arguments: Any) -> None:
        test(**arguments)
        while time.monotonic() < end:
            test(**arguments)

    test.hypothesis.inner_test = counted
    pyfuncitem.obj = again_and_again
    try:
        return (yield)
    finally:
        test.hypothesis.inner_test = inner
        pyfuncitem.obj = test
        pyfuncitem.user_properties.append(("cases", cases))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The cases and the outcome of every property on every library, as rows of a table."""
    cases: Counter[tuple[str, str]] = Counter()
    outcomes: dict[tuple[str, str], str] = {}
    for outcome in OUTCOMES:
        for report in terminalreporter.getreports(outcome):
            found: dict[str, Any] = dict(report.user_properties)
            library, name = found["library"], found["property"]
            for key in ((library, "all"), (library, name)):
                cases[key] += found.get("cases", 0)
                outcomes[key] = outcome
    terminalreporter.section("cases")
    terminalreporter.write_line("| library | property | cases | outcome |")
    terminalreporter.write_line("|---|---|---|---|")
    for key in sorted(outcomes):
        terminalreporter.write_line(f"| {' | '.join(key)} | {cases[key]} | {outcomes[key]} |")
