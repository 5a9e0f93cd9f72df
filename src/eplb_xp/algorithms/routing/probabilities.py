"""The part of its expert's tokens that each slot takes, in units of 2^-24: sums of any of them are exact, 1 in all."""

from eplb_xp.algorithms.maps import looked_up
from eplb_xp.algorithms.runs import by_item, of_owner, run_sum, run_until, runs_of
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# A float32 counts so many units exactly.
BITS = 24
MOST_BITS = 30


def probabilities(lib: Standard, share: Array, phy2log: Array, log2phy: Array, logcnt: Array) -> tuple[Array]:
    """Tokens of each slot over those of its expert, equal parts where it has none: [layers, experts, width]."""
    xp = lib.xp
    layers, experts, width = log2phy.shape
    runs = runs_of(lib, looked_up(lib, phy2log, experts), experts)
    tokens = xp.clip(xp.astype(lib.take_along_axis(share, runs.order), lib.index_dtype), 0, None)
    tokens = xp.where(of_owner(lib, run_sum(lib, runs, tokens), runs.owner) > 0, tokens, 1)
    total = of_owner(lib, run_sum(lib, runs, tokens), runs.owner)
    until = run_until(lib, runs, tokens)
    units = _units(lib, until, total) - _units(lib, until - tokens, total)
    part = by_item(lib, runs, xp.astype(units, xp.float32) * 2.0**-BITS)

    slot = xp.clip(xp.astype(log2phy, lib.index_dtype), 0, share.shape[1] - 1)
    found = xp.reshape(lib.take_along_axis(part, xp.reshape(slot, (layers, experts * width))), slot.shape)
    return (xp.where(lib.arange_like(slot) < xp.astype(logcnt, lib.index_dtype)[:, :, None], found, 0.0),)


def _units(lib: Standard, tokens: Array, total: Array) -> Array:
    """How many units these tokens are, to the nearest, a total being all of them."""
    xp = lib.xp
    too_long = xp.zeros_like(total)
    for bits in range(BITS, MOST_BITS):
        too_long = too_long + xp.astype(total >= 2**bits, lib.index_dtype)
    tokens, total = tokens >> too_long, total >> too_long
    guess = xp.astype(xp.astype(tokens, xp.float32) / xp.astype(total, xp.float32) * 2.0**BITS, lib.index_dtype)
    # What the guess is off by is small: where the products don't fit 32 bits, their difference does.
    return guess + ((tokens << BITS) - guess * total + (total >> 1)) // total
