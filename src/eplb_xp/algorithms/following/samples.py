"""Loads of several samples, each of which counts as much as its weight says, or as any other."""

from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# Of a share: as many as a float32 has.
SHARE_BITS = 24
# Of a weight, and of each half of the bits of a load that it is multiplied by, so that the products are exact.
WEIGHT_BITS = 12


def loads_of_samples(lib: Standard, weight: Array, *, divides: bool) -> Array:
    """Loads of the size that `scaled` leaves: [layers, samples, experts] -> the same.

    Of one sample they are what `scaled` makes of it. Of several, each load may be divided by the tokens of its sample;
    then a sample without tokens has no loads.
    """
    xp = lib.xp
    layers, samples, experts = weight.shape
    if divides and samples > 1:
        weight = _shares(lib, scaled(lib, xp.reshape(weight, (layers * samples, experts))).load)
    load = scaled(lib, xp.reshape(weight, (layers, samples * experts))).load
    return xp.reshape(load, (layers, samples, experts))


def weighed(lib: Standard, importance: Array, weight: Array) -> tuple[Array]:
    """Loads [layers, samples, experts] times how important their sample is [layers, samples], but for a factor.

    Importances count in units of 2^-12 of the largest. A load is multiplied in two halves of its bits, each product
    exact, so that no compiler can round the sum of both in another way. A sample of no importance has no loads, so that
    these say nothing of the size of others.
    """
    xp = lib.xp
    layers, samples, experts = weight.shape
    most = 2.0 ** (WEIGHT_BITS - 1)
    its = xp.floor(scaled(lib, importance).load * most)[:, :, None]
    weight = xp.where(its > 0.0, lib.float32(weight), 0.0)
    load = scaled(lib, xp.reshape(weight, (layers, samples * experts))).load
    load = xp.reshape(load, (layers, samples, experts))
    upper = _upper(lib, load)
    return (upper * its + (load - upper) * its,)


def over_samples(lib: Standard, values: Array) -> Array:
    """The sum over samples, in their order: [rows, samples, ...] -> [rows, ...]."""

    def add(sample: int, total: Array) -> Array:
        return total + values[:, sample, ...]

    return lib.fori_loop(1, values.shape[1], add, values[:, 0, ...])


def _upper(lib: Standard, x: Array) -> Array:
    """The upper half of the bits of each number, all of which are 0 or from 2^-60 up to below 2."""
    xp = lib.xp
    most = 2.0 ** (WEIGHT_BITS - 1)
    binade = lib.reciprocal_of_binade(xp.where(x > 0.0, x, xp.ones_like(x)))
    return xp.floor(x * binade * most) * (lib.reciprocal_of_binade(binade) * 2.0 ** (1 - WEIGHT_BITS))


def _shares(lib: Standard, load: Array) -> Array:
    """Each load over the sum of its row, rounded down: [rows, experts]."""
    return share_of(lib, load, tree_sum(lib, load)[:, None])


def share_of(lib: Standard, part: Array, total: Array) -> Array:
    """What parts are of a total that is no less, rounded down, or nothing of nothing: [rows, items], [rows, 1].

    By long division, bit by bit: to double is exact, and so is the difference of two numbers less than twice apart. So
    every library has the same.
    """
    xp = lib.xp
    total = xp.broadcast_to(total, part.shape)
    share, rest = xp.zeros_like(part), part
    for bit in range(1, SHARE_BITS + 1):
        rest = rest + rest
        goes = (rest >= total) & (total > 0.0)
        share = xp.where(goes, share + 2.0**-bit, share)
        rest = xp.where(goes, rest - total, rest)
    return share
