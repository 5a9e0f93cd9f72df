"""Few spares: the K largest quotients by sorting all that can be among them.

The expert of rank r, the heaviest being of rank 0, gets (K + r) / (r + 1) spares at most, because each of the
r before it gets at least one less: not always as many, since quotients of loads that are a bit apart may be
equal once they are rounded, and the first expert comes first then. So the table has K (ln K + 1.2) quotients or
less, and its first K, sorted, are the spares in the order handed out.
"""

from itertools import chain, repeat

from eplb_xp.algorithms.counts.spares import Range, Spares
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def table_length(experts: int, num_spares: int, within: Range) -> int:
    """How many quotients of each row can be among the largest."""
    return sum(_most_by_rank(experts, num_spares, within))


def _most_by_rank(experts: int, num_spares: int, within: Range) -> list[int]:
    """How many spares the expert of each rank gets at most.

    Those of the heaviest alone may get any if they have one replica so far: the first quotient is the load itself then.
    """
    room = within.most - within.fewest
    ranks = min(experts, num_spares) if within.fewest == 1 else experts
    return [min((num_spares + rank) // (rank + 1), room) for rank in range(ranks)]


def hand_out(lib: Standard, load: Array, num_spares: int, within: Range) -> Spares:
    """The spares in the order handed out; ties go to the first expert."""
    xp = lib.xp
    rows = load.shape[0]
    most = _most_by_rank(load.shape[1], num_spares, within)
    ranks = list(chain.from_iterable(repeat(rank, number) for rank, number in enumerate(most)))
    replicas = list(chain.from_iterable(range(within.fewest, within.fewest + number) for number in most))
    rank = xp.broadcast_to(lib.constant(ranks, load), (rows, len(ranks)))
    replica = xp.broadcast_to(lib.constant(replicas, load), (rows, len(ranks)))

    ranked_load, ranked = lib.sort_rows(load, lib.arange_like(load), descending=True)
    quotient = lib.divide(lib.take_along_axis(ranked_load, rank), xp.astype(replica, xp.float32))
    span = 1 << (within.fewest + num_spares).bit_length()  # quick to divide by
    tag = lib.take_along_axis(ranked, rank) * span + replica
    _, tag = lib.sort_rows(quotient, tag, descending=True)
    tag = tag[:, :num_spares]
    return Spares(tag // span, tag % span, _counts(lib, load, tag, span, within.fewest))


def _counts(lib: Standard, load: Array, tag: Array, span: int, fewest: int) -> Array:
    """Replicas of each expert, told by its last spare."""
    xp = lib.xp
    rows, experts = load.shape
    tag = xp.sort(tag, axis=-1)
    expert = tag // span
    following = xp.concat([expert[:, 1:], xp.full_like(expert[:, :1], experts)], axis=-1)
    count = xp.broadcast_to(xp.full_like(expert[:, :1], fewest), (rows, experts + 1))
    return lib.put_along_axis(count, xp.where(expert < following, expert, experts), tag % span + 1)[:, :experts]
