"""What the source may import, and what the once-written algorithms must not contain."""

import ast
from pathlib import Path
from typing import Any

import pytest

import eplb_xp

PACKAGE = Path(eplb_xp.__file__).parent
ALGORITHMS = PACKAGE / "algorithms"
LIBRARIES = {"jax", "jaxlib", "torch", "triton"}
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "backends" not in path.relative_to(PACKAGE).parts]

# Libraries divide and sum floats each in their own way, so planning leaves that to the backends and to trees of
# additions. The exceptions: a guess that is corrected, a sum of small integers, and figures for people to read.
DIVISIONS = {
    "counts/threshold": 1,
    "bounds/lower_bound": 2,
    "bounds/points": 3,
    "evaluation": 3,
    "following/frontier": 1,
    "rings/layout": 1,
    "routing/probabilities": 1,
    "sharing/report": 3,
    "sharing/shares": 1,
}
FLOAT_SUMS = {"counts/threshold": 1, "evaluation": 1, "sharing/report": 2}


def name(path: Path) -> str:
    return path.relative_to(ALGORITHMS).with_suffix("").as_posix()


every_algorithm = pytest.mark.parametrize("path", sorted(ALGORITHMS.rglob("*.py")), ids=name)


def nodes(path: Path, kind: type[ast.AST]) -> list[Any]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kind)]


def calls(path: Path) -> list[Any]:
    """The calls of methods and of functions of a module."""
    return [call for call in nodes(path, ast.Call) if isinstance(call.func, ast.Attribute)]


def imports(path: Path) -> set[str]:
    """The packages that a module imports, wherever in it."""
    found = {alias.name for node in nodes(path, ast.Import) for alias in node.names}
    found |= {node.module for node in nodes(path, ast.ImportFrom)}
    return {name.split(".")[0] for name in found}


@every_algorithm
def test_algorithms_import_no_library(path: Path) -> None:
    assert imports(path) <= {"typing", "collections", "itertools", "math", "eplb_xp"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_backends_import_libraries(path: Path) -> None:
    assert not imports(path) & (LIBRARIES | {"array_api_compat", "backends"})


@every_algorithm
def test_no_division_but_the_known_ones(path: Path) -> None:
    assert len(nodes(path, ast.Div)) == DIVISIONS.get(name(path), 0)


@every_algorithm
def test_no_sum_of_floats_but_the_known_ones(path: Path) -> None:
    sums = [call for call in calls(path) if call.func.attr in ("sum", "cumulative_sum", "mean")]
    floats = [call for call in sums if all(keyword.arg != "dtype" for keyword in call.keywords)]
    assert len(floats) == FLOAT_SUMS.get(name(path), 0)


@every_algorithm
def test_every_sort_of_positions_is_stable(path: Path) -> None:
    for call in calls(path):
        if call.func.attr == "argsort":
            assert any(keyword.arg == "stable" for keyword in call.keywords)
