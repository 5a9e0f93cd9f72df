"""SGLang's plug-ins, its metadata and its transfer of weights, with eplb-xp's plans.

Not run, because they need GPUs: ``EPLBManager`` and the recorder, and the way back of a rank that was down.
"""

from pathlib import Path

import pytest

from tests.in_engines.running import moved, processes
from tests.support.packages.fetch import OF_SGLANG

NEWEST = f"sglang-{OF_SGLANG[-1]}"


@pytest.mark.parametrize("package", [f"sglang-{version}" for version in OF_SGLANG], indirect=True)
def test_weights_arrive(package: Path, tmp_path: Path) -> None:
    """With hooks and before there were any; the map in use is SGLang's own."""
    assert 0 < moved("sglang", package, 2, "joint,max_moves=1", tmp_path) <= 3 * 3


@pytest.mark.parametrize("package", [NEWEST], indirect=True)
def test_weights_arrive_among_four_ranks(package: Path, tmp_path: Path) -> None:
    assert moved("sglang", package, 4, "joint", tmp_path) > 9


@pytest.mark.parametrize("package", [NEWEST], indirect=True)
def test_ranks_that_are_down(package: Path) -> None:
    """What SGLang's own planner has for them: expert 0 in their slots, and no list with such a slot."""
    code = f"""
from pathlib import Path
import torch
from tests.support.packages.standing_in import stand_in
stand_in(Path({str(package)!r}))
from tests.in_engines.of_sglang import configure, register
configure(3, 8, 24, 4, "elasticity_aware")
register()
from sglang.srt.elastic_ep.elastic_ep import ElasticEPState, ElasticEPStateManager
from sglang.srt.eplb.eplb_algorithms import EplbAlgorithm, elasticity_aware, rebalance_experts
active = torch.tensor([1, 1, 0, 1, 0, 0], dtype=torch.int32)
state = ElasticEPState(active_ranks=active, last_active_ranks=active.clone(), active_ranks_cpu=active.clone())
ElasticEPStateManager._instance = state
load = torch.arange(1, 25).reshape(3, 8)
ours = rebalance_experts(load[None], 24, 6, None, 1, EplbAlgorithm.elasticity_aware)
theirs = elasticity_aware.rebalance_experts(load, 24, 1, 1, 4, False, active[:4])
for phy2log, log2phy, logcnt in (ours, theirs):
    assert phy2log.shape == (3, 24) and (phy2log[:, 12:18] == 0).all()
    assert not ((log2phy >= 12) & (log2phy < 18)).any()
    assert torch.equal((log2phy >= 0).sum(dim=-1), logcnt) and (logcnt.sum(dim=1) == 18).all()
    held = torch.take_along_dim(phy2log[:, None, :], log2phy.clip(0), dim=-1)
    assert ((held == torch.arange(8)[:, None]) | (log2phy < 0)).all()
print("as theirs")
"""
    assert processes([["-c", code]], "joint") == ["as theirs\n"]


@pytest.mark.parametrize("package", [NEWEST], indirect=True)
def test_its_loader_reads_placements_and_counts(package: Path, tmp_path: Path) -> None:
    """``--init-expert-location``: maps that we write are taken as they are, counts planned for, by us."""
    code = f"""
import json
from pathlib import Path
from types import SimpleNamespace
import numpy as np
import eplb_xp
from eplb_xp.formats import placements
from eplb_xp.formats.placements.placement import Placement
from tests.support.packages.standing_in import stand_in
stand_in(Path({str(package)!r}))
from tests.in_engines.of_sglang import configure, register
moe, _ = configure(3, 8, 12, 2)
register()
from sglang.srt.eplb.expert_location import compute_initial_expert_location_metadata
load = np.random.default_rng(0).poisson(50, (3, 8))
plan = eplb_xp.rebalance_experts(load, 12, 1, 1, 2)
folder = Path({str(tmp_path)!r})
(folder / "counts.json").write_text(json.dumps({{"logical_count": load.tolist()}}))
for name in ("map.json", "map.pt"):
    placements.FORMATS["sglang"].write(folder / name, Placement(plan.phy2log, num_gpus=2))
for name in ("counts.json", "map.json", "map.pt"):
    moe.init_expert_location = str(folder / name)
    read = compute_initial_expert_location_metadata(SimpleNamespace(hf_config=None), 0)
    assert (read.physical_to_logical_map.numpy() == plan.phy2log).all()
    assert (read.logical_to_all_physical_map_num_valid.numpy() == plan.logcnt).all()
print("read")
"""
    assert processes([["-c", code]], "joint") == ["read\n"]
