"""What the package shows, and what it imports when."""

import inspect
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import eplb_xp

PACKAGE = Path(eplb_xp.__file__).parent
LIBRARIES = {"jax", "jaxlib", "ml_dtypes", "torch", "triton"}

# What the interface promises, positional and keyword-only arguments with their defaults.
_SIZES = "num_groups, num_nodes, num_gpus, *"
SIGNATURES = {
    "rebalance_experts": f"weight, num_replicas, {_SIZES}, policy='joint', max_replicas=None, "
    "previous=None, max_moves=None, min_gain=0.0, gpus_per_node=None, far_cost=1, sample_weights=None",
    "rebalance_experts_hierarchical": f"weight, num_physical_experts, {_SIZES}, policy='greedy'",
    "balanced_packing": "weight, num_packs, *, policy='greedy'",
    "replicate_experts": "weight, num_phy",
    "evaluate": "plan, weight, num_gpus, *, num_groups=1, num_nodes=1, shares=None",
    "share_tokens": "plan, weight, num_gpus, *, prepared=None, rounds=64, tolerance=0.0009765625",
    "prepare_shares": "plan, num_gpus",
    "quotas": "shares, plan, counts, *, num_nodes=1, rank=None",
    "probabilities": "shares, plan",
    "route": "experts, plan, quota=None, *, first=None",
    "frontier": f"weight, num_replicas, {_SIZES}, previous, max_moves, policy='joint', max_replicas=None, "
    "gpus_per_node=None, far_cost=1, sample_weights=None",
    "plan_at": "frontier, moves, *, max_replicas=None",
    "spend": "frontier, total",
    "moves": "previous, plan, num_gpus, num_nodes=1, *, gpus_per_node=None",
    "logical_maps": "phy2log, num_experts, width=None",
    "expert_loads": "slot_load, phy2log, num_experts",
    "check_loads": "weight",
}
TUPLES = {
    "Frontier": "phy2log logcnt busiest balancedness",
    "MovedBytes": "total received sent sent_across buffered",
    "Moves": "source received sent sent_across buffered",
    "Plan": "phy2log log2phy logcnt",
    "Prepared": "expert place first holders colour start size",
    "Report": "gpu_load balancedness lower_bound gap doubled",
    "SharedReport": "gpu_load balancedness best_balancedness lower_bound gap doubled",
    "Shares": "share gpu_load busiest lower_bound proof gap rounds",
}
MODULES = ("loads", "simulation")


def test_all_is_exactly_the_public_names() -> None:
    assert set(eplb_xp.__all__) == {*SIGNATURES, *TUPLES, "POLICIES", "Policy", *MODULES}
    modules = {path.stem for path in PACKAGE.iterdir()} - set(MODULES)
    shown = {name for name in dir(eplb_xp) if not name.startswith("_")} - modules
    assert shown == set(eplb_xp.__all__)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    signature = inspect.signature(getattr(eplb_xp, name))
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    assert str(inspect.Signature(plain)) == f"({SIGNATURES[name]})"


def test_tuples_have_the_promised_fields() -> None:
    for name, fields in TUPLES.items():
        assert " ".join(getattr(eplb_xp, name)._fields) == fields


@pytest.mark.parametrize("name", [*SIGNATURES, *TUPLES, "Policy", *MODULES])
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


def test_the_version_is_that_of_the_distribution() -> None:
    assert eplb_xp.__version__ == metadata.version("eplb-xp")
