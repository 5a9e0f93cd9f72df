"""The table of what moves buy: a row for some numbers of them, and for planners that count none."""

from rich.console import Group
from rich.text import Text

from eplb_xp.cli.amounts import in_letters
from eplb_xp.cli.buying import Bought, Figures, Spent
from eplb_xp.cli.output.tables import HALF_LIFE, heading, idle_layers, new_table
from eplb_xp.cli.summary import four_digits, percent

ROWS = 12  # at most, of numbers of moves

NOTES = """
moves: at most so many in a layer; moved: slots that received another expert
balancedness: mean GPU load / busiest GPU's load on the loads planned for
closed: how much of what the plan in use, of no moves, lacks is made good
fresh: as if there were no plan in use; as EPLB plans, and with GPUs called so
that few slots move"""

FAR = """
a move across nodes of {} GPUs counts as {}"""

SAMPLES = """
planned for {} samples of the steps; balancedness is on their sum"""

LATER = """
later: such plans of the first {} steps in the {} that follow"""


def shown(most: int) -> list[int]:
    """Numbers that grow as Fibonacci's do, the last ones of them if they are many."""
    numbers = [1, 2]
    while numbers[-1] < most:
        numbers.append(numbers[-1] + numbers[-2])
    between = [number for number in numbers if number < most]
    return [0, *[*between, *([most] if most else [])][-(ROWS - 1) :]]


def bought(found: Bought, expert_bytes: int | None) -> Group:
    """Numbers of moves, fresh plans, and how moves are divided among layers."""
    across = found.num_nodes > 1
    cells = new_table(
        *("\nmoves", "\nmoved", "balanced-\nness", "worst\n(layer)", "\nclosed"),
        *(["\nlater"] if found.judged else []),
        *(["\nbytes"] if expert_bytes else []),
        *(["across\nnodes"] if across else []),
    )

    def add(name: str, figures: Figures) -> None:
        row = [f"{figures.slots.mean() / found.layout.num_replicas:.1%}", four_digits(figures.short.mean)]
        worst, layer = figures.short[1:]
        row += ["-" if worst is None else f"{worst:.4f} ({layer})", percent_of(found.closed(figures))]
        row += [four_digits(figures.later)] if found.judged else []
        number = int(figures.slots.sum()) * (expert_bytes or 0)
        row += [in_letters(number) if number else "0"] if expert_bytes else []
        row += [f"{figures.across.sum():,}"] if across else []
        cells.add_row(name, *row)

    for number in shown(len(found.numbers) - 1):
        add(str(number), found.numbers[number])
    cells.add_section()
    if found.spent is not None:
        add(f"spend {found.spent.total}", found.spent.figures)
        cells.add_section()
    for name, figures in found.named:
        add(name, figures)
    notes = Text(idle_layers(found.loads))
    if found.spent is not None:
        notes.append(_spent(found, found.spent))
    notes.append(NOTES, style="dim")
    notes.append(_conditions(found), style="dim")
    return Group(heading(found.loads, str(found.layout)), cells, notes)


def percent_of(share: float | None) -> str:
    """Whole ones, but near all of it; it may be below 0."""
    return "-" if share is None else f"{share:.{1 if share >= 0.99 else 0}%}"


def _spent(found: Bought, spent: Spent) -> str:
    """How moves are divided, and what they would be if all layers had the same number."""
    each, used, same = spent.moves, found.cost(spent.figures), found.cost(found.numbers[spent.same])
    saved = "" if same <= used else f": {percent(1 - used / same)} saved"
    return (
        f"\nspent: {each.min()} to {each.max()} moves a layer, {used:,} in all\n"
        f"as much with the same number in every layer: {spent.same}, {same:,} in all{saved}\n"
    )


def _conditions(found: Bought) -> str:
    """What else the figures depend on."""
    reach, counted, text = found.search.reach, found.counted, ""
    if reach.far_cost > 1:
        text += FAR.format(reach.gpus_per_node, reach.far_cost)
    if counted.samples is not None:
        text += SAMPLES.format(counted.samples)
    if counted.half_life is not None:
        text += HALF_LIFE.format(counted.half_life)
    return text + (LATER.format(*found.judged) if found.judged else "")
