"""Loads as whole tokens, as `algorithms/sharing/tokens.py` has them."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import bits_of, float_of
from eplb_xp.backends.kernels.scaling import clean, factors, scaled

# A token more than a layer may have.
TOO_MANY = tl.constexpr(2**30)


@triton.jit
def _are_too_many(tokens):
    high = tl.sum(tokens >> 15, axis=0)
    low = tl.sum(tokens & 0x7FFF, axis=0)
    return high + (low >> 15) >= TOO_MANY >> 15


@triton.jit
def whole_tokens(weight, LEVELS: tl.constexpr):
    """Tokens of each expert, of loads of any dtype: [experts], of which 2^LEVELS would be no fewer."""
    if weight.dtype.is_int():
        if weight.dtype.primitive_bitwidth >= 32:
            weight = tl.where(weight < TOO_MANY, weight, TOO_MANY)
        tokens = tl.where(weight > 0, weight, 0).to(tl.int32)
        while _are_too_many(tokens):
            tokens = tokens >> 1
    else:
        load = weight.to(tl.float32)
        load = tl.where((load >= 0.0) & (load < float("inf")), load, 0.0)
        tokens = tl.minimum(load, TOO_MANY * 1.0).to(tl.int32)
        others = tl.sum((tokens.to(tl.float32) != load).to(tl.int32), axis=0)
        load = clean(weight)
        first, second = factors(float_of(tl.max(bits_of(load), axis=0)))
        units = (scaled(load, first, second) * 2.0 ** (28 - LEVELS)).to(tl.int32)
        tokens = tl.where((others == 0) & (not _are_too_many(tokens)), tokens, units)
    return tokens
