"""What the help says, and that its examples run."""

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from eplb_xp import Plan, rebalance_experts
from eplb_xp.simulation import measuring
from tests.support.command_line import SIZES, run
from tests.support.libraries import NumPyArray
from tests.support.paths import ROOT

COMMANDS = ("demo", "plan", "evaluate", "frontier", "simulate", "measure", "sweep", "convert", "info")
FOLLOWING = {"--samples", "--half-life", "--previous", "--max-moves", "--expert-bytes", "--gpus-per-node", "--far-cost"}
WRITING = {"--format", "--layer-numbers"}
READING = {"--steps", "--layers", "--index-column", "--no-index-column"}


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """The text of ``--help``."""
    assert run(*command, "--help") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    return out


def examples(text: str, indent: int) -> Iterator[list[str]]:
    """The arguments of every example."""
    for line in re.sub(r"\\\s*\n\s*", "", text).splitlines():
        if line.startswith(f"{' ' * indent}eplb-xp "):
            yield shlex.split(line, comments=True)[1:]


def test_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(COMMANDS) <= set(help_of(capsys).split())


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("demo", {"--preset", "--seed", "--output", "-o", "--plot", "--json"}),
        (
            "plan",
            {f"--{name.replace('_', '-')}" for name in SIZES}
            | READING
            | {"--policy", "--max-replicas", "--backend", "--output", "-o", "--plot", "--json"}
            | WRITING
            | FOLLOWING
            | {"--min-gain"},
        ),
        (
            "frontier",
            {f"--{name.replace('_', '-')}" for name in SIZES}
            | READING
            | {"--policy", "--max-replicas", "--backend", "--output", "-o", "--plot", "--json"}
            | WRITING
            | FOLLOWING
            | {"--spend"},
        ),
        ("evaluate", {"--num-gpus", "--num-groups", "--num-nodes", "--plot", "--json"} | READING),
        (
            "convert",
            READING | {"--from", "--to", "--num-layers", "--slots", "--num-gpus", "--layer-numbers", "--json"},
        ),
        ("info", {"--json"}),
        ("measure", {"--backend", "--model", "--experts", "--json"}),
        (
            "simulate",
            {f"--{name.replace('_', '-')}" for name in SIZES}
            | READING
            | {"--every", "--window", "--delay", "--layers-per-step", "--strategy", "--gpu", "--model", "--tokens"}
            | {"--cost"}
            | {"--overlap", "--gpus-per-node", "--plot", "--json"}
            | {"--preset", "--num-steps", "--seed", "--save-trace"},
        ),
        ("sweep", {f"--{name.replace('_', '-')}" for name in SIZES} | {"--policy", "--plot", "--json"} | READING),
    ],
)
def test_help_explains_every_option(command: str, options: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = {
        word for word in help_of(capsys, command).replace(",", " ").replace(".", " ").split() if word.startswith("-")
    }
    assert options | {"--help"} == {word for word in words if word.strip("-")[:1].isalpha()}


def write_loads() -> None:
    np.savez("loads.npz", load=np.random.default_rng(0).lognormal(5, 1, (12, 2, 256)).round())


@cache
def planned() -> Plan[NumPyArray]:
    return rebalance_experts(np.ones((2, 256)), 288, 1, 1, 32)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the examples read, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    write_loads()
    np.savez("plan.npz", phy2log=planned().phy2log, num_gpus=32)


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = list(examples(help_of(capsys, command).split("For example:")[1], 1))
    assert len(given) >= 2
    for args in given:
        run_example(args, capsys)


def test_examples_of_the_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    given = list(examples((ROOT / "README.md").read_text(), 4))
    assert given
    for args in given:
        if args[0] == "sweep":
            write_loads()  # it plans 15 times: two layers instead of 58 that the others read from the demo
        if {"--previous", "--samples"} & {*args}:
            args.append("--layers=:2")  # of the 58, for as long
        run_example(args, capsys)


@pytest.fixture(autouse=True)
def few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of experts that are timed: a processor takes a minute for many."""
    monkeypatch.setattr(measuring, "TOKENS", (1, 2))


def run_example(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It works, says nothing but its table or JSON, and writes what it says."""
    if args[0] == "frontier":
        args.append("--max-moves=3%")  # a fifth, for as long
    assert run(*args) == 0
    out, err = capsys.readouterr()
    assert err == ""
    if "--json" in args:
        json.loads(out)
    if args[0] == "convert":
        assert Path(args[2]).stat().st_size > 1000
    for option in ("-o", "--plot", "--save-trace"):
        if option in args:
            assert Path(args[args.index(option) + 1]).stat().st_size > 1000
