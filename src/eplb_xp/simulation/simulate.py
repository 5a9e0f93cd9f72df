"""Strategies tried on a trace."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eplb_xp.simulation.arrays import as_trace
from eplb_xp.simulation.cost import Cost, check_cost
from eplb_xp.simulation.judging import Measured, Steps
from eplb_xp.simulation.planning import Sizes, periods
from eplb_xp.simulation.scores import Score
from eplb_xp.simulation.slots import in_order
from eplb_xp.simulation.strategy import Strategy
from eplb_xp.simulation.tally import Tally, score_in_order
from eplb_xp.sizes import check_divisor, check_integer, check_number, check_sizes

MOST_TOKENS = 2.0**40


def simulate(
    trace: Any,
    num_replicas: int,
    num_groups: int,
    num_nodes: int,
    num_gpus: int,
    *,
    strategies: Sequence[Strategy],
    window: int,
    delay: int = 0,
    layers_per_step: int | None = None,
    gpus_per_node: int | None = None,
    cost: Cost | None = None,
    tokens: float | None = None,
    announce: Callable[[str], None] = lambda _: None,
) -> list[Score]:
    """Try strategies on a trace, and judge their plans on the steps that follow those that they were made from.

    The first plan of each is made from the steps before the same one, is in use from there on, and costs nothing. All
    are judged on all steps from there to the end.

    Parameters
    ----------
    trace : [steps, layers, experts], integers or floats
        Tokens for each logical expert, the oldest step first; of any library, read in host memory.
    num_replicas, num_groups, num_nodes, num_gpus : int
        As for `eplb_xp.rebalance_experts`.
    strategies : sequence of Strategy
        What is tried, such as `usual`.
    window : int
        Steps that plans are made from, where a strategy has no window of its own, and that are judged together.
    delay : int
        Steps from the end of a window until its plan is in use: planning and moving take time.
    layers_per_step : int, optional
        Layers that take a plan up in one step, in their order; by default all at once.
    gpus_per_node : int, optional
        GPUs near each other; by default all of a node.
    cost : Cost, optional
        What tokens, weights and moves take; without one, nothing is said in seconds.
    tokens : float, optional
        Tokens of a layer in a step, each counted for each of its experts, in place of those of the trace.
    announce : callable
        Told of each strategy as it begins.

    Returns
    -------
    list of Score
        In the order of the strategies.

    Raises
    ------
    TypeError, ValueError
        Where something can't be used; before anything is planned.

    Examples
    --------
    >>> from eplb_xp import loads
    >>> trace = loads.generate("gpt-oss-20b", steps=60)
    >>> tried = [Strategy("never", None), Strategy("few", every=20, max_moves=0.1)]
    >>> never, few = simulate(trace, 40, 1, 1, 8, strategies=tried, window=20)
    >>> never.actual < few.actual < few.planned
    True
    """
    values = as_trace(trace)
    number, layers, experts = values.shape
    if tokens is not None:
        check_number("tokens", tokens, 0, MOST_TOKENS)
    near = num_gpus // num_nodes if gpus_per_node is None else check_integer("gpus_per_node", gpus_per_node)
    at_once = layers if layers_per_step is None else check_integer("layers_per_step", layers_per_step)
    wait = check_integer("delay", delay, at_least=0)
    sizes = Sizes(num_replicas, num_groups, num_nodes, num_gpus, near, wait, at_once)
    check_sizes(experts, num_replicas, num_groups, num_nodes, num_gpus)
    check_divisor("gpus_per_node", near, "num_gpus", num_gpus)
    start = _start(number, layers, strategies, check_integer("window", window), sizes)
    busy = values[start:].max(axis=2) > 0
    steps = Steps(values, start, window, num_gpus, None if cost is None else check_cost(cost), tokens, busy)
    plain = in_order(layers, experts, num_gpus)
    whole = np.full(layers, start), np.full(layers, number)
    never = Measured(steps)
    never.add(plain, *whole)
    scores = []
    for strategy in strategies:
        announce(strategy.name)
        if strategy.policy is None:
            scores.append(score_in_order(strategy, steps, never))
            continue
        tally = Tally(steps, strategy, sizes)
        before = plain
        for period in periods(values, start, strategy, window, sizes):
            before = tally.add(period, before)
        scores.append(tally.score(never))
    return scores


def _start(number: int, layers: int, strategies: Sequence[Strategy], window: int, sizes: Sizes) -> int:
    """The step from which all are judged, once all fit the trace and each other."""
    if not strategies:
        raise ValueError("there must be at least one strategy, got none")
    names = [strategy.name for strategy in strategies]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"strategies must have different names, got {names.count(name)} of name {name!r}")
    takes = sizes.delay + -(-layers // sizes.layers_per_step)
    for strategy in strategies:
        if strategy.every is not None and strategy.every < takes:
            raise ValueError(
                f"{strategy.name}: a plan every {strategy.every} steps is never in use, since one is taken up within "
                f"{takes}: a delay of {sizes.delay}, then {layers} layers, {sizes.layers_per_step} a step"
            )
        if (strategy.samples or 1) > (strategy.window or window):
            raise ValueError(
                f"{strategy.name}: {strategy.samples} samples can't be made of {strategy.window or window} steps"
            )
    start = max(strategy.window or window for strategy in strategies)
    if start >= number:
        raise ValueError(
            f"a window of {start} steps leaves none to judge, of {number}: give more steps or less of a window"
        )
    return start
