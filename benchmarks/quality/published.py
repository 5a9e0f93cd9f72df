"""Figures of other planners, for loads and sizes that are judged here too.

Balancedness, doubled replicas and times are those of each planner's published code, on one thread of a CPU; for
TensorRT-LLM, of its rule in Python. Gaps are to the larger of the mean GPU load and the largest replica. The prototype
is what was tried before this project had policies.
"""

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.quality.sizes import Size


class Published(NamedTuple):
    """What is known of a planner for a load and a size; None where it isn't."""

    publisher: str
    planner: str
    load: str
    size: Size
    mean_gap: float | None = None
    balancedness: float | None = None
    doubled: int | None = None
    seconds: float | None = None


GAP_OF = (("DeepSeek", "EPLB"), ("prototype", "50 best swaps"), ("prototype", "caps and swaps"))
# Means of the layers, in per cent.
GAPS: Mapping[tuple[str, Size], tuple[float, float, float]] = {
    ("lognormal 0.6", Size(288, 32)): (0.76, 0.022, 0.010),
    ("lognormal 0.6", Size(288, 72)): (2.7, 0.36, 0.12),
    ("lognormal 0.6", Size(320, 64)): (2.1, 0.18, 0.041),
    ("lognormal 0.6", Size(384, 128)): (4.5, 2.2, 0.18),
    ("recorded DeepSeek-R1", Size(320, 64)): (2.3, 1.6, 0.076),
    ("recorded DeepSeek-R1", Size(384, 128)): (8.3, 6.8, 1.7),
    ("Zipf 1.2", Size(384, 128)): (21, 21, 2.6),
    ("Zipf 1.5", Size(320, 64)): (28, 28, 0.035),
    ("recorded gpt-oss-20b", Size(48, 16)): (10, 1.7, 1.1),
    ("recorded gpt-oss-20b", Size(40, 8)): (2.5, 0.34, 0.12),
}

GLOBAL, ON_NODES = Size(288, 32), Size(288, 32, groups=8, nodes=4)
# Of uniform and of lognormal loads: balancedness, and doubled replicas.
EPLB = {GLOBAL: ((0.992, 0.995), (0, 26)), ON_NODES: ((0.970, 0.942), (37, 123))}
# And milliseconds, of both alike.
MEASURED: Mapping[tuple[str, str, Size], tuple[tuple[float, float], tuple[int, int], float | None]] = {
    ("DeepSeek", "EPLB", GLOBAL): (*EPLB[GLOBAL], 709),
    ("vLLM", "default", GLOBAL): (*EPLB[GLOBAL], 29),
    ("vLLM", "flashlb, PR 37656", GLOBAL): ((0.994, 0.996), (0, 0), 14),
    ("vLLM", "swift_balancer", GLOBAL): ((0.989, 0.838), (0, 0), 196),
    ("SGLang", "deepseek", GLOBAL): (*EPLB[GLOBAL], 38),
    ("SGLang", "deepseek_vec", GLOBAL): ((0.982, 0.975), (56, 54), 6.6),
    ("vllm-ascend", "flashlb, one sample", GLOBAL): ((0.994, 0.996), (0, 0), 564),
    ("TensorRT-LLM", "ported to Python", GLOBAL): ((0.992, 0.995), (1, 26), 14),
    ("DeepSeek", "EPLB", ON_NODES): (*EPLB[ON_NODES], 287),
    ("vLLM", "default", ON_NODES): (*EPLB[ON_NODES], 29),
    ("vLLM", "batched, PR 52556", ON_NODES): (*EPLB[ON_NODES], 2.3),
    ("SGLang", "deepseek", ON_NODES): (*EPLB[ON_NODES], 22),
    ("SGLang", "deepseek_vec", ON_NODES): ((0.957, 0.911), (230, 215), None),  # 11 to 22 ms
}


def published(load: str, size: Size) -> list[Published]:
    """What is known for a load and a size."""
    found = [
        Published(*planner, load, size, mean_gap=gap / 100)
        for planner, gap in zip(GAP_OF, GAPS.get((load, size), ()), strict=False)
    ]
    column = {"uniform": 0, "lognormal 1.0": 1}.get(load)
    if column is None:
        return found
    return found + [
        Published(
            publisher,
            planner,
            load,
            size,
            balancedness=balancedness[column],
            doubled=doubled[column],
            seconds=None if milliseconds is None else milliseconds / 1e3,
        )
        for (publisher, planner, of_size), (balancedness, doubled, milliseconds) in MEASURED.items()
        if of_size == size
    ]
