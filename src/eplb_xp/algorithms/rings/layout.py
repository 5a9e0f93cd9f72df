"""Where on the ring each replica goes, were there always room.

Positions run on round the ring, turn after turn; each turn takes the GPUs in another order, by a stride of its own. An
expert of n replicas has n positions in a row and the next begins on its last, so that their GPUs are linked: n - 1
links each, as many in all as there are spare replicas. Where those are no whole number of turns, the links of the last
are spread, so that gaps between experts lie evenly.
"""

from math import gcd

from eplb_xp.algorithms.rows import mixed_order
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def gpu_of_replica(lib: Standard, count: Array, expert: Array, rank: Array, num_gpus: int) -> Array:
    """The GPU of each replica [rows, replicas], of an expert [rows, experts] with so many: [rows, replicas]."""
    xp = lib.xp
    num_spares = expert.shape[-1] - count.shape[-1]
    # Neighbours in number may be alike, as groups of experts are, so the order is one without pattern.
    order = mixed_order(lib, count)
    links = lib.take_along_axis(count, order) - 1
    before = xp.cumulative_sum(links, axis=-1, dtype=lib.index_dtype) - links
    whole, rest = num_spares // num_gpus * num_gpus, num_spares % num_gpus
    spread = xp.where(before < whole, before, whole + (before - whole) * num_gpus // max(rest, 1))
    start = lib.put_along_axis(before, order, spread)
    position = lib.take_along_axis(start, expert) + rank
    by_turn = strides(num_gpus, turns_of(num_spares, num_gpus))
    stride = lib.take(lib.constant(by_turn, position), xp.reshape(position // num_gpus, (-1,)) % len(by_turn), axis=0)
    return position % num_gpus * xp.reshape(stride, position.shape) % num_gpus


def turns_of(num_spares: int, num_gpus: int) -> int:
    """How often so many links go round the ring, the last time perhaps with gaps."""
    return max(-(-num_spares // num_gpus), 1)


def strides(num_gpus: int, turns: int) -> list[int]:
    """Of turn k about gpus^(k / turns), all different and coprime to the GPUs, as far as there are such."""
    # A stride and what it lacks to a whole turn are the same ring.
    left = [stride for stride in range(1, num_gpus // 2 + 1) if gcd(stride, num_gpus) == 1] or [1]
    found: list[int] = []
    for turn in range(min(turns, len(left))):
        wanted = num_gpus ** (turn / turns)
        found.append(min(left, key=lambda stride: abs(stride - wanted)))
        left.remove(found[-1])
    return found
