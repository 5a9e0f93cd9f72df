"""Loads to test with: named families, and Hypothesis strategies over them and over free values."""

from collections.abc import Callable, Sequence
from functools import cache

import ml_dtypes
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.random import Generator

from tests.support.libraries import NumPyArray

# For what runs on NumPy alone, where an example takes a millisecond.
thorough = settings(max_examples=20 * settings().max_examples)

LARGEST = float(np.finfo(np.float32).max)
SMALLEST_LOAD = 2.0**-125  # smaller ones count as zero


def zipf(exponent: float) -> Callable[[Generator, int], NumPyArray]:
    """Load of the i-th busiest expert 1e6 / i^exponent."""
    return lambda rng, experts: 1e6 * rng.permutation(np.arange(1.0, experts + 1) ** -exponent)


def geometric(ratio: float) -> Callable[[Generator, int], NumPyArray]:
    """Load of the i-th busiest expert 1e6 * ratio^i."""
    return lambda rng, experts: 1e6 * rng.permutation(ratio ** np.arange(experts))


def idle(share: float) -> Callable[[Generator, int], NumPyArray]:
    """Lognormal loads, a share of the experts without any."""
    return lambda rng, experts: rng.lognormal(5, 1, experts) * (rng.random(experts) >= share)


def one_busy(rng: Generator, experts: int) -> NumPyArray:
    """One expert with all the load."""
    return np.where(np.arange(experts) == rng.integers(experts), 1000.0, 0.0)


def huge_and_tiny(rng: Generator, experts: int) -> NumPyArray:
    """Loads on both sides of 2^-60 of the largest, and of the smallest normal number."""
    top = 2.0 ** rng.integers(-120, 127)
    return top * 2.0 ** -rng.choice([0.0, 1.0, 1.5, 59.0, 59.5, 60.0, 60.5, 61.0], experts)


def one_bit_apart(rng: Generator, experts: int) -> NumPyArray:
    """Multiples of one load, some a bit off: quotients that are equal, and others that only just are not."""
    load = (rng.integers(1, 7, experts) * rng.uniform(1, 2)).astype(np.float32)
    return (load.view(np.int32) + rng.integers(-1, 2, experts, dtype=np.int32)).view(np.float32).astype(np.float64)


# The loads of one layer: float64, not negative, at most the largest float32.
FAMILIES: dict[str, Callable[[Generator, int], NumPyArray]] = {
    "uniform": lambda rng, experts: rng.integers(0, 1000, experts).astype(np.float64),
    "lognormal": lambda rng, experts: rng.lognormal(5, 1, experts),
    "zipf 1.2": zipf(1.2),
    "zipf 2": zipf(2.0),
    "geometric .5": geometric(0.5),
    "geometric .9": geometric(0.9),
    "70 % idle": idle(0.7),
    "all zero": lambda _, experts: np.zeros(experts),
    "all equal": lambda _, experts: np.full(experts, 7.0),
    "ties": lambda rng, experts: rng.integers(0, rng.integers(2, 10), experts).astype(np.float64),
    "one bit apart": one_bit_apart,
    "shares": lambda rng, experts: rng.random(experts),
    "one busy": one_busy,
    "subnormal": lambda rng, experts: SMALLEST_LOAD * rng.choice([0.01, 0.25, 0.5, 1.0, 1.5, 3.0], experts),
    "near the largest": lambda rng, experts: LARGEST * rng.choice([0.3, 0.5, 0.75, 1.0], experts),
    "huge and tiny": huge_and_tiny,
}


def batch(family: str, seed: int, layers: int, experts: int) -> NumPyArray:
    """Layers of one family: [layers, experts] float32."""
    rng = np.random.default_rng(seed)
    return np.stack([FAMILIES[family](rng, experts) for _ in range(layers)]).astype(np.float32)


def every_family(experts: int) -> NumPyArray:
    """Eight layers of every family: [layers, experts] float32."""
    return np.concatenate([batch(family, seed, 8, experts) for seed, family in enumerate(FAMILIES)])


def _of_family(experts: int) -> st.SearchStrategy[NumPyArray]:
    def loads(family: str, seed: int) -> NumPyArray:
        return FAMILIES[family](np.random.default_rng(seed), experts)

    return st.builds(loads, st.sampled_from(sorted(FAMILIES)), st.integers(0, 2**32 - 1))


def _row(values: st.SearchStrategy[float] | st.SearchStrategy[int], experts: int) -> st.SearchStrategy[NumPyArray]:
    return st.lists(values, min_size=experts, max_size=experts).map(lambda row: np.array(row, dtype=np.float64))


# Strategies are kept, because Hypothesis checks each new one, which takes as long as to draw from it.
@cache
def layer(experts: int) -> st.SearchStrategy[NumPyArray]:
    """The loads of one layer, as the families have them."""
    return st.one_of(
        _row(st.integers(0, 5), experts),
        _row(st.integers(0, 10**6), experts),
        _row(st.floats(0, LARGEST, width=32), experts),
        _of_family(experts),
        _of_family(experts),
    )


@cache
def _one_of(dtypes: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(dtypes))


@st.composite
def weights(draw: st.DrawFn, shape: tuple[int, int], dtypes: Sequence[str] = ("float32",)) -> NumPyArray:
    """Loads [layers, experts] of one of the dtypes, each layer of its own kind."""
    dtype = np.dtype(draw(_one_of(tuple(dtypes))))
    rows = [draw(layer(shape[1])) for _ in range(shape[0])]
    # As a float the largest int64 is too large for one.
    largest = min(float(np.iinfo(dtype.name).max), 2.0**62) if dtype.kind in "iu" else float(ml_dtypes.finfo(dtype).max)
    return np.clip(np.reshape(rows, shape), 0, min(largest, LARGEST)).astype(dtype)


@cache
def counts(shape: tuple[int, int]) -> st.SearchStrategy[NumPyArray]:
    """Token counts [layers, experts] float32, often with ties, so small that their sums are exact."""
    values = st.one_of(st.integers(0, 4), st.integers(0, 2**16))
    rows = st.lists(_row(values, shape[1]), min_size=shape[0], max_size=shape[0])
    return rows.map(lambda drawn: np.reshape(drawn, shape).astype(np.float32))


@cache
def powers_of_two(layers: int) -> st.SearchStrategy[NumPyArray]:
    """A factor for each layer that keeps counts within the normal float32 numbers: [layers, 1]."""
    exponents = st.lists(st.integers(-125, 111), min_size=layers, max_size=layers)
    return exponents.map(lambda drawn: np.ldexp(np.float32(1), np.reshape(drawn, (layers, 1))))
