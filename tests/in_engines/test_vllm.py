"""vLLM's own tests, its registry and its transfer of weights, with eplb-xp's plans.

Not run, because they need GPUs: ``EplbState`` and the worker thread of asynchronous EPLB, NCCL's and NIXL's
communicators, and vLLM's tests of transfers, which start them.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.in_engines.running import moved
from tests.support.packages.fetch import OF_VLLM
from tests.support.paths import ROOT

every_version = pytest.mark.parametrize("package", [f"vllm-{version}" for version in OF_VLLM], indirect=True)

# What must differ, and why.
ALWAYS = {"test_parameter_validation"}  # sizes that don't divide: it wants AssertionError, we raise ValueError in words
UNLIKE_EPLB = {
    "test_basic_rebalance",  # it wants EPLB's own plan
    # It wants more replicas for expert 0 than for expert 1, on nodes of two GPUs: both have one on each, and more would
    # share a GPU, which brings nothing.
    "test_extreme_weight_imbalance",
}


@every_version
@pytest.mark.parametrize(("policy", "differs"), [("greedy", ALWAYS), ("joint", ALWAYS | UNLIKE_EPLB)])
def test_its_own_tests(package: Path, policy: str, differs: set[str]) -> None:
    """With policy greedy all plans are vLLM's; its tests pass but for those that are named."""
    file = package / "tests" / "distributed" / "test_eplb_algo.py"
    options = ["-p", "tests.in_engines.plugin", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={package}"]
    command = [sys.executable, "-m", "pytest", *options, "--import-mode=importlib", "-q", "-rfEp", str(file)]
    environment = os.environ | {"EPLB_XP_ENGINE": str(package), "EPLB_XP_POLICY": policy, "PYTHONPATH": f"{ROOT}"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)  # noqa: S603 # our own code
    found = re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\w+)", run.stdout, re.MULTILINE)
    assert {name for outcome, name in found if outcome != "PASSED"} == differs, run.stdout[-3000:]
    assert len({name for outcome, name in found if outcome == "PASSED"}) >= 7


@every_version
def test_weights_arrive(package: Path, tmp_path: Path) -> None:
    """Three plans, one after the other, of all slots."""
    assert moved("vllm", package, 2, "joint", tmp_path) > 9


@pytest.mark.parametrize("package", ["vllm-0.12.0", "vllm-0.18.1", f"vllm-{OF_VLLM[-1]}"], indirect=True)
def test_weights_arrive_among_four_ranks_within_a_budget(package: Path, tmp_path: Path) -> None:
    """Of a slot a layer, where vLLM gives the old map: it does from 0.14 on."""
    number = moved("vllm", package, 4, "joint,max_moves=1", tmp_path)
    assert (0 < number <= 3 * 3) == (package.name != "vllm-0.12.0")


@pytest.mark.parametrize("package", [f"vllm-{OF_VLLM[-1]}"], indirect=True)
@pytest.mark.parametrize("scale", ["up", "down"])
def test_ranks_come_and_go(package: Path, scale: str, tmp_path: Path) -> None:
    """From two ranks to four, whose slots are empty before; from four to two, of which the others keep nothing."""
    assert moved("vllm", package, 4, "joint,max_moves=10%", tmp_path, scale) > 0


@pytest.mark.parametrize("package", [f"vllm-{OF_VLLM[-1]}"], indirect=True)
def test_it_finds_the_adapter_by_itself(package: Path) -> None:
    code = f"""
from pathlib import Path
from tests.support.packages.standing_in import stand_in
stand_in(Path({str(package)!r}))
from vllm.plugins import load_general_plugins
load_general_plugins()
from vllm.distributed.eplb.policy import EPLB_POLICIES
print(EPLB_POLICIES["default"].__name__)
"""
    for policy, name in (("joint", "EplbXpPolicy"), ("", "DefaultEplbPolicy")):
        environment = os.environ | {"EPLB_XP_POLICY": policy, "PYTHONPATH": f"{ROOT}"}
        command = [sys.executable, "-c", code]
        run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)  # noqa: S603 # our own code
        assert run.stdout.split() == [name]
