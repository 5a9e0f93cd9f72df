"""The table of a sweep: a row for each number of replicas, columns for each number of GPUs."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from eplb_xp.cli.output.tables import heading, idle_layers, new_table
from eplb_xp.cli.summary import four_digits, of_balancedness, of_gap, percent
from eplb_xp.cli.sweeping import PRICE, Sweep

COLUMNS = 3  # numbers of GPUs beside each other

PLANNED_FOR = """
each cell: mean balancedness, and the mean gap to the lower bound of all plans"""
LATER = """
each cell: mean balancedness of a plan of the first {} steps in the {} that follow,
replicas sharing equally, and by the best shares of each step"""
NOTES = f"""
memory: of the experts' weights, over that of one replica each
*: worth their memory, if {PRICE:.0%} more memory may cost {PRICE * PRICE:g} of balancedness"""


def swept(found: Sweep) -> Group:
    """As many tables as it takes, and what is worth it."""
    gpus = found.num_gpus
    parts: list[RenderableType] = []
    for start in range(0, len(gpus), COLUMNS):
        parts += [_table(found, gpus[start : start + COLUMNS]), Text()]
    nodes = next(layout for layout, _ in found.results)
    notes = Text()
    for num_gpus in gpus:
        for best in (False, True) if found.is_judged_later else (False,):
            worth = found.worth(num_gpus, best=best)
            if worth is not None and len(found.on(num_gpus)) > 1:
                notes.append(f"{_verdict(found, num_gpus, worth, best=best)}\n")
    notes.append(idle_layers(found.loads))
    later = found.results[0][1].later
    notes.append(PLANNED_FOR if later is None else LATER.format(later.planned, len(later.equal)), style="dim")
    notes.append(NOTES, style="dim")
    if found.skipped:
        notes.append(f"\n-: the sizes don't fit together ({len(found.skipped)} skipped)", style="dim")
    what = f"policy {found.policy}"
    if nodes.keeps_groups:
        what += f", {nodes.num_groups} groups kept whole on {nodes.num_nodes} nodes"
    return Group(heading(found.loads, what), *parts, notes)


def _table(found: Sweep, gpus: list[int]) -> Table:
    experts = found.loads.load.shape[1]
    rows = new_table("replicas", "memory", *(f"{num_gpus} GPUs" for num_gpus in gpus))
    for replicas in sorted({layout.num_replicas for layout, _ in found.results if layout.num_gpus in gpus}):
        cells = [_cell(found, num_gpus, replicas) for num_gpus in gpus]
        rows.add_row(str(replicas), f"{replicas / experts - 1:+.1%}", *cells)
    return rows


def _cell(found: Sweep, num_gpus: int, replicas: int) -> str:
    measured = found.on(num_gpus).get(replicas)
    if measured is None:
        return "-"
    mark = "*" if found.worth(num_gpus) == replicas else " "
    if measured.later is not None:
        other = "*" if found.worth(num_gpus, best=True) == replicas else " "
        equal, best = map(four_digits, measured.later.means)
        return f"{equal}{mark} {best}{other}"
    mean, gap = of_balancedness(measured.balancedness, found.loads.busy), of_gap(measured.gap, found.loads.busy)
    return f"{four_digits(mean.mean)} {percent(gap.mean):>6}{mark}"


def _verdict(found: Sweep, num_gpus: int, worth: int, *, best: bool) -> str:
    where = f"{num_gpus} GPUs" + (", best shares" if best else ", equal" if found.is_judged_later else "")
    results = found.on(num_gpus)
    fewest = min(results)
    most, least = (found.balance(results[replicas], best=best) for replicas in (worth, fewest))
    if worth == fewest or most is None or least is None:
        return f"{where}: more than {worth} replicas are not worth their memory"
    more = (worth - fewest) / found.loads.load.shape[1]
    return f"{where}: {worth} replicas bring {most - least:.4f} over {fewest}, for {more:.1%} of memory"
