"""Operators are there for the first tensors that need them, and for programs that hold some."""

import subprocess
import sys

import pytest

PLAN = """
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.func import vmap
from eplb_xp import rebalance_experts

def plan(weight):
    return tuple(rebalance_experts(weight, 12, 1, 1, 4, policy="greedy"))

weight = torch.arange(24.0).reshape(3, 8)
plain = plan(weight)
assert not hasattr(torch.ops.eplb_xp, "plan")
"""
SAME = "assert all(map(torch.equal, made, plain))"
FIRST = {
    "imported": "import eplb_xp.backends.torch",
    "batched": f"made = [x[0] for x in vmap(plan)(weight[None])]; {SAME}",
    "recorded": f"made = make_fx(plan, tracing_mode='symbolic')(weight)(weight); {SAME}",
    "exported": f"""
class Step(torch.nn.Module):
    def forward(self, weight):
        return vmap(plan)(weight)

made = [x[0] for x in torch.export.export(Step(), (weight[None],), strict=True).module()(weight[None])]; {SAME}
""",
}


@pytest.mark.parametrize("first", FIRST)
def test_operators_come_when_they_are_needed(first: str) -> None:
    code = f"{PLAN}{FIRST[first]}\nassert hasattr(torch.ops.eplb_xp, 'plan')"
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 # our own code
