"""sglang-jax's contract: NumPy's arrays, and first slots that its static dispatch can use."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eplb_xp import rebalance_experts
from eplb_xp.engines import sglang_jax
from tests.support import engines
from tests.support.engines import EXPERTS, LAYERS, LOAD, RANKS, SLOTS

PER_GPU = SLOTS // RANKS


def planned(load: Any = LOAD, algorithm: str = "deepseek", groups: int | None = None, nodes: int = 1) -> Any:
    return sglang_jax.rebalance_experts(
        tokens_per_expert=load,
        num_physical_experts=SLOTS,
        num_local_physical_experts=PER_GPU,
        num_groups=groups,
        num_nodes=nodes,
        algorithm=SimpleNamespace(name=algorithm),
    )


def busiest(first: Any) -> Any:
    """Tokens of the busiest GPU [layers] where all of an expert go to its first slot."""
    on_gpu = np.zeros((LAYERS, RANKS))
    for layer, gpus in enumerate(first // PER_GPU):
        np.add.at(on_gpu[layer], gpus, LOAD[layer])
    return on_gpu.max(axis=1)


@pytest.mark.parametrize(("algorithm", "kept"), [("deepseek", (1, 1)), ("deepseek_hierarchical", (4, 2))])
def test_the_triple(algorithm: str, kept: tuple[int, int]) -> None:
    phy2log, log2phy, logcnt = planned(algorithm=algorithm, groups=4, nodes=2)
    expected = rebalance_experts(LOAD, SLOTS, *kept, RANKS)
    assert np.array_equal(phy2log, expected.phy2log)
    assert np.array_equal(logcnt, expected.logcnt)
    assert all(isinstance(x, np.ndarray) and x.dtype == np.int64 for x in (phy2log, log2phy, logcnt))
    # The same slots, in another turn, then -1.
    assert np.array_equal(np.sort(log2phy), np.sort(expected.log2phy))
    assert np.array_equal(log2phy >= 0, expected.log2phy >= 0)


def test_first_slots_are_spread() -> None:
    phy2log, log2phy, _ = planned()
    ascending = rebalance_experts(LOAD, SLOTS, 1, 1, RANKS).log2phy
    assert (phy2log[np.arange(LAYERS)[:, None], log2phy[:, :, 0]] == np.arange(EXPERTS)).all()
    assert (busiest(log2phy[:, :, 0]) < busiest(ascending[:, :, 0])).all()


def test_one_layer() -> None:
    phy2log, log2phy, _ = planned(LOAD[1])
    assert phy2log.shape == (1, SLOTS)
    whole = planned()
    assert np.array_equal(phy2log[0], whole[0][1])
    assert np.array_equal(log2phy[0], whole[1][1])


def test_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    module = engines.install(monkeypatch, "sgl_jax.srt.eplb.eplb_algorithms", rebalance_experts=None)
    sglang_jax.register()
    assert module.rebalance_experts is sglang_jax.rebalance_experts
    monkeypatch.setenv("EPLB_XP_POLICY", "best")
    with pytest.raises(ValueError, match="EPLB_XP_POLICY must begin"):
        sglang_jax.register()
