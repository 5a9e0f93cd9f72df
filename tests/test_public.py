"""What the package shows, what it imports, and what its algorithms must not contain."""

import ast
import inspect
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import eplb_xp

PACKAGE = Path(eplb_xp.__file__).parent
ALGORITHMS = sorted((PACKAGE / "algorithms").glob("*.py"))
LIBRARIES = {"jax", "jaxlib", "torch", "triton"}
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if "backends" not in path.relative_to(PACKAGE).parts]

# What the interface promises, positional and keyword-only arguments with their defaults.
_SIZES = "num_groups, num_nodes, num_gpus, *"
SIGNATURES = {
    "rebalance_experts": f"weight, num_replicas, {_SIZES}, policy='joint', max_replicas=None",
    "rebalance_experts_hierarchical": f"weight, num_physical_experts, {_SIZES}, policy='greedy'",
    "balanced_packing": "weight, num_packs, *, policy='greedy'",
    "replicate_experts": "weight, num_phy",
    "evaluate": "plan, weight, num_gpus, *, num_groups=1, num_nodes=1",
    "check_loads": "weight",
}

# Libraries divide and sum floats each in their own way, so planning leaves that to the backends and to trees of
# additions. The exceptions: a guess that is corrected, a sum of small integers, and figures for people to read.
DIVISIONS = {"threshold": 1, "bounds": 2, "bound_points": 3, "evaluation": 3}
FLOAT_SUMS = {"threshold": 1, "evaluation": 1}

every_algorithm = pytest.mark.parametrize("path", ALGORITHMS, ids=lambda path: path.stem)


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


def test_all_is_exactly_the_public_names() -> None:
    assert set(eplb_xp.__all__) == {*SIGNATURES, "POLICIES", "Plan", "Policy", "Report", "loads"}
    modules = {path.stem for path in PACKAGE.iterdir()} - {"loads"}
    shown = {name for name in dir(eplb_xp) if not name.startswith("_")} - modules
    assert shown == set(eplb_xp.__all__)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    signature = inspect.signature(getattr(eplb_xp, name))
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    assert str(inspect.Signature(plain)) == f"({SIGNATURES[name]})"


def test_tuples_have_the_promised_fields() -> None:
    assert eplb_xp.Plan._fields == ("phy2log", "log2phy", "logcnt")
    assert eplb_xp.Report._fields == ("gpu_load", "balancedness", "lower_bound", "gap", "doubled")


@pytest.mark.parametrize("name", [*SIGNATURES, "Plan", "Policy", "Report", "loads"])
def test_public_names_are_documented(name: str) -> None:
    assert (inspect.getdoc(getattr(eplb_xp, name)) or "").count("\n") > 3


def test_no_library_is_imported_before_an_array_of_it_arrives() -> None:
    code = """
import sys
import numpy as np
import eplb_xp
plan = eplb_xp.rebalance_experts(np.ones((1, 4)), 6, 1, 1, 2)
eplb_xp.evaluate(plan, np.ones((1, 4)), 2)
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""
    # -I keeps out what a developer's environment might preload.
    alone = [sys.executable, "-I", "-c", code]
    run = subprocess.run(alone, check=True, capture_output=True, text=True)  # noqa: S603 # our own code
    imported = set(run.stdout.split())
    assert {"numpy", "array_api_compat", "eplb_xp"} <= imported
    assert not imported & (LIBRARIES | {"array_api_strict", "matplotlib", "rich", "typer"})


@every_algorithm
def test_algorithms_import_no_library(path: Path) -> None:
    assert imports(path) <= {"typing", "itertools", "eplb_xp"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_backends_import_libraries(path: Path) -> None:
    assert not imports(path) & (LIBRARIES | {"array_api_compat", "backends"})


@every_algorithm
def test_no_division_but_the_known_ones(path: Path) -> None:
    assert len(nodes(path, ast.Div)) == DIVISIONS.get(path.stem, 0)


@every_algorithm
def test_no_sum_of_floats_but_the_known_ones(path: Path) -> None:
    sums = [call for call in calls(path) if call.func.attr in ("sum", "cumulative_sum", "mean")]
    floats = [call for call in sums if all(keyword.arg != "dtype" for keyword in call.keywords)]
    assert len(floats) == FLOAT_SUMS.get(path.stem, 0)


@every_algorithm
def test_every_sort_of_positions_is_stable(path: Path) -> None:
    for call in calls(path):
        if call.func.attr == "argsort":
            assert any(keyword.arg == "stable" for keyword in call.keywords)


def test_the_version_is_that_of_the_distribution() -> None:
    assert eplb_xp.__version__ == metadata.version("eplb-xp")
