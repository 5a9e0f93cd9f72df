"""A few samples of a window of steps, for plans that must do for each of them."""

import math
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from eplb_xp.sizes import check_integer, check_number

Numbers: TypeAlias = np.ndarray[Any, Any]


def samples(trace: Numbers, number: int, half_life: float | None = None) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Make a few samples of a window of steps: blocks of consecutive steps, each summed.

    `eplb_xp.rebalance_experts` takes them as loads of several samples, and makes the busiest GPU small in the mean over
    them. That says what varies, which the sum over the window does not: a plan for the sum is even on the past alone.

    Parameters
    ----------
    trace : [steps, layers, experts], integers or floats
        Tokens for each logical expert, the oldest step first.
    number : int
        How many samples, at most as many as there are steps. Few will do: five to ten.
    half_life : float, optional
        In so many steps a step comes to count half: one that is ``age`` steps older than the last is multiplied by
        2^-(age / half_life). By default all count the same.

    Returns
    -------
    [number, layers, experts] float64
        Tokens of each sample, that of the last steps last.

    Raises
    ------
    TypeError
        Where ``number`` is no integer or ``half_life`` no number.
    ValueError
        Where ``trace`` has not three axes or one of them is empty, ``number`` is not from 1 to the number of steps, or
        ``half_life`` is not above 0.

    Notes
    -----
    Blocks are as even as they can be in what their steps count in all, and none is without a step. So with a half-life
    the last ones are the shortest: recent steps count more in a plan that divides each sample by its tokens, as
    `eplb_xp.rebalance_experts` does by itself. With a half-life of fewer steps than 0.7 times ``number`` the last
    samples are one step each and can be no shorter; ``sample_weights=np.ones(number)`` then makes each count what its
    steps do.

    To plan for samples of what varies is sample average approximation [1]_.

    References
    ----------
    .. [1] A. J. Kleywegt, A. Shapiro, T. Homem-de-Mello, The Sample Average Approximation Method for Stochastic
       Discrete Optimization, SIAM Journal on Optimization 12(2), 2002, https://doi.org/10.1137/S1052623499363220

    Examples
    --------
    >>> trace = np.array([[[3, 1]], [[4, 0]], [[1, 3]], [[0, 4]], [[2, 2]]])
    >>> samples(trace, 2)
    array([[[7., 1.]],
    <BLANKLINE>
           [[3., 9.]]])
    >>> samples(trace, 2, half_life=1)[-1]  # the last step alone
    array([[2., 2.]])

    Planned for:

    >>> from eplb_xp import loads, rebalance_experts
    >>> trace = loads.generate("gpt-oss-20b", steps=100)
    >>> rebalance_experts(samples(trace, 8, half_life=50), 40, 1, 1, 8).phy2log.shape
    (24, 40)
    """
    if trace.ndim != 3 or trace.size == 0:
        raise ValueError(f"trace must be [steps, layers, experts], none of them 0, got shape {trace.shape}")
    steps = len(trace)
    if check_integer("number", number) > steps:
        raise ValueError(f"number must be at most that of the steps, got {number} samples of {steps} steps")
    weight = np.ones(steps) if half_life is None else _decayed(steps, half_life)
    bounds = _bounds(weight, number)
    blocks = [slice(*ends) for ends in pairwise(bounds)]
    return np.stack([(trace[block] * weight[block, None, None]).sum(axis=0) for block in blocks])


def _decayed(steps: int, half_life: float) -> Numbers:
    """What each step counts, the last one 1."""
    check_number("half_life", half_life, 0, math.inf)
    if half_life == 0:
        raise ValueError("half_life must be above 0, got 0")
    age = np.arange(steps)[::-1]
    with np.errstate(over="ignore"):  # infinitely many half-lives leave 0
        weight = np.exp2(-age / float(half_life))
    # Machines differ in the last digits of a power: as float32 all have the same.
    return weight.astype(np.float32).astype(np.float64)


def _bounds(weight: Numbers, number: int) -> list[int]:
    """Where blocks begin and end, from the last one on: each has its share of what is left, and a step at least."""
    before = np.concatenate([[0.0], np.cumsum(weight)])
    bounds = [len(weight)]
    for left in range(number, 1, -1):
        end = bounds[-1]
        others = before[end] * (left - 1) / left
        nearest = int(np.abs(before[:end] - others).argmin())
        bounds.append(max(nearest, left - 1))
    return [0, *reversed(bounds)]
