"""Loads as integers: the bits of floats that are not negative are in the order of the floats. How many bits are set."""

import triton
import triton.language as tl

HIGHEST = tl.constexpr(0x7FFFFFFF)
LOWEST = tl.constexpr(-0x80000000)
INFINITE = tl.constexpr(0x7F800000)


@triton.jit
def bits_of(x):
    return x.to(tl.int32, bitcast=True)


@triton.jit
def float_of(bits):
    return bits.to(tl.float32, bitcast=True)


@triton.jit
def ordered(x):
    """Integers in the order of floats of either sign."""
    bits = x.to(tl.int32, bitcast=True)
    return tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


@triton.jit
def descending(x, index):
    """Keys that sort floats that are not negative in descending order, equal ones by index."""
    bits = (0x7FFFFFFF - x.to(tl.int32, bitcast=True)).to(tl.int64)
    return (bits << 32) | index.to(tl.int64)


@triton.jit
def index_in(key):
    """The index in a key of `descending`."""
    return (key & 0xFFFFFFFF).to(tl.int32)


@triton.jit
def load_in(key):
    """The float in a key of `descending`."""
    return float_of(0x7FFFFFFF - (key >> 32).to(tl.int32))


@triton.jit
def ones(word):
    """How many bits of 32 are set."""
    word = word.to(tl.uint32, bitcast=True)
    word = word - ((word >> 1) & 0x55555555)
    word = (word & 0x33333333) + ((word >> 2) & 0x33333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F
    return ((word * 0x01010101) >> 24).to(tl.int32)
