"""vllm-ascend's own check of plans, its factory, and what it sends for them.

Not run, because they need NPUs: its worker process and the transfer itself.
"""

from pathlib import Path

import pytest

from tests.in_engines.running import processes


@pytest.mark.parametrize("package", ["vllm-ascend-0.23.0"], indirect=True)
def test_no_layer_is_refused(package: Path) -> None:
    code = f"""
from pathlib import Path
from types import SimpleNamespace
import torch
from tests.support.packages.standing_in import stand_in
stand_in(Path({str(package)!r}))
from eplb_xp.engines import vllm_ascend
vllm_ascend.register()
from vllm_ascend.eplb.core.eplb_worker import EplbWorker
from vllm_ascend.eplb.core.policy.policy_factory import PolicyFactory
errors = []
from vllm_ascend.eplb.core import eplb_worker
eplb_worker.logger = SimpleNamespace(error=lambda *args: errors.append(args))
policy = PolicyFactory.generate_policy(2)
assert isinstance(policy, vllm_ascend.Policy)
old = (torch.arange(48) % 32).repeat(3, 1).reshape(3, 8, 6)
drawn = torch.Generator().manual_seed(0)
load = torch.randint(0, 1000, (3, 8, 6), generator=drawn)
worker = EplbWorker.__new__(EplbWorker)
for _ in range(3):
    changed, priority, table = policy.rebalance_experts(old, load)
    new = torch.tensor(table)
    EplbWorker.check_expert_placement(worker, old, new)
    assert not errors and torch.equal(new, torch.tensor(table)) and changed
    hotness = EplbWorker._calculate_hotness(old.numpy(), load)
    before, after = (EplbWorker._compute_imbalance(x, hotness)[0] for x in (old, table))
    assert after < before
    old, load = new, load.flip(0)
print("none refused")
"""
    for policy in ("joint", "joint,max_moves=10%"):
        assert processes([["-c", code]], policy) == ["none refused\n"]
