"""The list of equivalent mutants names what is there."""

import ast
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

ALGORITHMS = ROOT / "src" / "eplb_xp" / "algorithms"
ENTRIES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text())["equivalent"]
MUTANTS = [mutant for entry in ENTRIES for mutant in entry["mutants"]]


@cache
def functions(module: str) -> set[str]:
    tree = ast.parse((ALGORITHMS / f"{module.replace('.', '/')}.py").read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_entry_has_a_reason_and_mutants() -> None:
    for entry in ENTRIES:
        assert entry.keys() == {"reason", "mutants"}
        assert entry["reason"]
        assert entry["mutants"]


def test_no_mutant_stands_there_twice() -> None:
    assert [mutant for mutant, times in Counter(MUTANTS).items() if times > 1] == []


@pytest.mark.parametrize("name", sorted({mutant.partition(": ")[0] for mutant in MUTANTS}))
def test_the_function_is_in_its_module(name: str) -> None:
    module, _, function = name.rpartition(".")
    assert function in functions(module)
