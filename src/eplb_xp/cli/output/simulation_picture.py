"""The picture of strategies: balance over time, promised and had, and the moves below."""

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eplb_xp.cli.output.scale import balance_axis, missing
from eplb_xp.cli.planning import Numbers
from eplb_xp.cli.simulating import Simulated
from eplb_xp.simulation import Score

# Okabe and Ito's colours, the plan that is never made in grey.
PLAIN = "#999999"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
POINTS = 200  # of a line, at most: steps in between are averaged


def simulated(found: Simulated) -> Figure:
    """Balance on top, promises dashed, what followed solid; slots that move below."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(f"{found.loads.title}\n{found.layout}", parse_math=False)
    balance, moves = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    start = len(found.loads.over_time) - len(found.scores[0].balance)
    colours = cycle(COLOURS)
    shown = []
    for score in found.scores:
        colour = PLAIN if score.strategy.policy is None else next(colours)
        shown.append(_lines(balance, score, start, colour))
        at = [step for step, _ in score.promised[1:]]
        if at:
            layers = found.loads.load.shape[0]
            moved = 100 * np.array(score.moves) / (layers * score.num_replicas)
            moves.plot(at, moved, "o-", color=colour, markersize=3, linewidth=1)
    balance_axis(balance, "y", "balancedness (1 is even)", np.concatenate(shown))
    balance.legend(fontsize="small", ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    moves.set(xlabel=f"step; a plan every {found.pace.every}, promises dashed", ylabel="slots moved, %")
    moves.set_ylim(bottom=0)
    moves.grid(alpha=0.3)
    return figure


def _lines(axes: Axes, score: Score, start: int, colour: str) -> Numbers:
    """What was had in single steps, and what was promised; all that is drawn."""
    each = max(len(score.balance) // POINTS, 1)
    pieces = np.array_split(score.balance, max(len(score.balance) // each, 1))
    had = np.array([piece[~np.isnan(piece)].mean() if (~np.isnan(piece)).any() else np.nan for piece in pieces])
    middles = start + np.cumsum([0, *map(len, pieces[:-1])]) + np.array([len(piece) for piece in pieces]) / 2
    drawn = missing(had)
    marker = "^" if score.strategy.more_slots else None
    axes.plot(middles, drawn, color=colour, linewidth=1.2, marker=marker, markevery=0.1, label=score.strategy.name)
    promised = [(step, value) for step, value in score.promised if value is not None]
    if promised:
        steps, values = zip(*promised, strict=True)
        ends = [*steps, start + len(score.balance)]
        promises = missing(np.array(values))
        axes.stairs(promises, ends, color=colour, linestyle="--", linewidth=0.8, baseline=None)
        return np.concatenate([drawn, promises])
    return drawn
