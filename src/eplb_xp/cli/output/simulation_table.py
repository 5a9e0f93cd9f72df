"""The table of strategies: what each promised, brought and cost."""

from rich.console import Group
from rich.text import Text

from eplb_xp.cli.output.tables import heading, new_table
from eplb_xp.cli.simulating import Simulated
from eplb_xp.simulation import Score

NOTES = """
planned: balancedness, mean GPU load / busiest GPU's load, on the windows that
plans were made from; actual: on as many steps after them together ({window})
kept: of what plans promised to gain over those before, what they gained
step: balancedness of single steps
moved: slots that each plan after the first moved; GB: what these were in all
saved: of a step's seconds with experts in order ({seconds}), moves paid
even: steps until a plan has made up for its moves, over the one before it
never: experts in order; once: planned from the first window, and kept
ring: tokens are shared anew in each step; +1 slot: one more on each GPU
seconds: {machine}, {tokens}"""


def simulated(found: Simulated) -> Group:
    """A row for each strategy, and what to take."""
    cells = new_table("", "planned", "actual", "kept", "step", "moved", "GB", "saved", "even")
    for score in found.scores:
        cells.add_row(score.strategy.name, *_row(score, found))
    layers = found.loads.load.shape[0]
    plain = found.scores[0].seconds
    notes = Text(_idle(found, layers))
    notes.append(f"\n{found.recommendation}\n", style="bold")
    said = NOTES.format(
        window=found.pace.window,
        seconds="-" if plain is None else f"{plain * 1e3:.3g} ms",
        machine=f"experts of {found.prices.model} on {found.prices.gpu}{', measured' if found.prices.measured else ''}",
        tokens="tokens of the trace" if found.prices.tokens is None else f"{found.prices.tokens:,.0f} tokens a step",
    )
    notes.append(said, style="dim")
    judged = len(found.scores[0].balance)
    what = f"{found.layout}; {judged} steps judged, a plan every {found.pace.every}"
    return Group(heading(found.loads, what), cells, notes)


def _row(score: Score, found: Simulated) -> list[str]:
    moved = (score.near_moves + score.far_moves) * found.prices.expert_bytes
    return [
        *map(_three_digits, (score.planned, score.actual)),
        "-" if score.kept is None else f"{score.kept:.0%}",
        _three_digits(score.by_step),
        f"{score.moved:.0%}" if score.moves else "-",
        f"{moved / 1e9:,.0f}" if moved else "-",
        "-" if score.net is None or score.strategy.policy is None else _share(score.net, found.scores[0].seconds),
        "-" if score.break_even is None else f"{score.break_even:,.0f}",
    ]


def _three_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(net: float, of: float | None) -> str:
    return f"{net / of:.1%}" if of else "-"


def _idle(found: Simulated, layers: int) -> str:
    steps = len(found.scores[0].balance)
    lines = ""
    if found.idle_steps:
        lines += f"\n{found.idle_steps} of {steps} steps without tokens: left out"
    if found.idle_layers:
        lines += f"\n{found.idle_layers} of {layers} layers without tokens: left out"
    return lines + "\n" if lines else ""
