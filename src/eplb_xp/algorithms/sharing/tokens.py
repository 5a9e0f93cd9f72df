"""Loads as whole tokens, so that every sum is exact and in any order the same."""

from typing import NamedTuple

from eplb_xp.algorithms.scaling import scaled
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array

# Tokens of a layer: twice as many still fit 32 bits.
MOST_TOKENS = 2**30 - 1
HALF_BITS = 15


class _Counts(NamedTuple):
    """Tokens of each expert."""

    tokens: Array


def whole_tokens(lib: Standard, weight: Array) -> Array:
    """Tokens of each expert [layers, experts], at most `MOST_TOKENS` in a layer.

    Integers are what they are, those below zero none, and halved, rounded down, until they fit. Floats that are whole
    numbers and fit, too. The floats of other layers are multiplied by the power of two that makes the largest of a
    layer of 256 experts lie between 2^20 and 2^21, and rounded down; what `scaled` sees as zero has no tokens.
    """
    xp = lib.xp
    if lib.is_integer(weight):
        return _halved(lib, clipped(lib, weight))
    experts = weight.shape[-1]
    load = lib.float32(weight)
    load = xp.where((load >= 0.0) & (load < float("inf")), load, 0.0)
    tokens = xp.astype(xp.clip(load, None, 2.0 * 2**HALF_BITS * 2**14), lib.index_dtype)
    are_whole = xp.all(xp.astype(tokens, xp.float32) == load, axis=-1, keepdims=True) & ~_are_too_many(lib, tokens)
    units = scaled(lib, weight).load * 2.0 ** (28 - (experts - 1).bit_length())
    return xp.where(are_whole, tokens, xp.astype(units, lib.index_dtype))


def clipped(lib: Standard, weight: Array) -> Array:
    """Integers from 0 up to 2^30, as indices."""
    xp = lib.xp
    most = MOST_TOKENS + 1
    if lib.largest_integer(weight) > most:
        weight = xp.where(weight < most, weight, most)
    weight = xp.astype(weight, lib.index_dtype)
    return xp.where(weight > 0, weight, 0)


def _are_too_many(lib: Standard, tokens: Array) -> Array:
    """Whether those of a layer, each at most 2^30, are more than fit: [layers, 1]."""
    high, low = (
        lib.xp.sum(part, axis=-1, keepdims=True, dtype=lib.index_dtype)
        for part in (tokens >> HALF_BITS, tokens & (2**HALF_BITS - 1))
    )
    return high + (low >> HALF_BITS) >= (MOST_TOKENS + 1) >> HALF_BITS


def _halved(lib: Standard, tokens: Array) -> Array:
    """Those of layers that have too many halved until they fit."""
    xp = lib.xp

    def unfinished(counts: _Counts) -> Array:
        return xp.any(_are_too_many(lib, counts.tokens))

    def halve(counts: _Counts) -> _Counts:
        too_many = _are_too_many(lib, counts.tokens)
        return _Counts(xp.where(too_many, counts.tokens >> 1, counts.tokens))

    return lib.while_loop(unfinished, halve, _Counts(tokens)).tokens
