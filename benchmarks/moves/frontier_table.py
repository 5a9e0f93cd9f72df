"""The tables of all numbers of moves at once: what they bring, moves across nodes, and what they cost."""

from rich.console import Group
from rich.text import Text

from benchmarks.moves.far import Far
from benchmarks.moves.frontier_cost import MOVED, Cost
from benchmarks.moves.frontiers import WORSE, Row
from eplb_xp.cli.output.tables import new_table

BOUGHT_NOTES = """\
balance on the loads that came, mean over layers (worst layer): plans made for one budget, and a frontier's, up to 25 %;
moves of a model, the same budget for each layer, and divided so that all busiest GPUs together have as little"""
FAR_NOTES = """\
drift 0.1, of a layer in the mean; budgets of other costs are the smallest with a balance within .001 of the first"""
COST_NOTES = f"""\
58 layers, drift 0.1, up to {MOVED:.0%} of the slots and one plan for as many, under jit on a CPU, process time, both in
turn in one run; memory of all plans, beyond them, and of one plan at its most"""


def bought(rows: list[Row]) -> Group:
    """A row for each budget of each load."""
    cells = new_table(
        *("load and\nreplicas / GPUs", "may\nmove", "of one\nbudget", "of the\nfrontier", "\nmore"),
        *("moves, as\nmany each", "\ndivided", "\nsaved"),
    )
    for row in rows:
        for number, each in enumerate(row.budgets):
            cells.add_row(
                f"{row.case}, {row.size}" if number == 0 else "",
                f"{each.share:.0%} ({each.budget})",
                f"{each.plan.mean:.4f} ({each.plan.worst:.3f})",
                f"{each.frontier.mean:.4f} ({each.frontier.worst:.3f})",
                f"{each.frontier.mean - each.plan.mean:+.4f}",
                f"{each.same:.0f}",
                f"{each.divided:.0f}",
                f"{each.saved:.1%}",
                style="red" if each.frontier.mean < each.plan.mean - WORSE else "",
            )
    return Group(cells, Text(BOUGHT_NOTES, style="dim"))


def far(rows: list[Far]) -> Group:
    """A row for each cost of a move across nodes."""
    cells = new_table("replicas / GPUs\nand those of a node", "far\ncost", "\nbudget", "\nmoved", "\nfar", "\nbalance")
    for number, row in enumerate(rows):
        cells.add_row(
            f"{row.size}, {row.gpus_per_node}" if number == 0 else "",
            str(row.far_cost),
            str(row.budget),
            f"{row.moved:.1f}",
            f"{row.far:.1f}",
            f"{row.mean:.4f} ({row.worst:.3f})",
        )
    return Group(cells, Text(FAR_NOTES, style="dim"))


def costs(rows: list[Cost]) -> Group:
    """A row for each size."""
    cells = new_table(
        *("replicas / GPUs", "all plans,\nms", "one,\nms", "\nratio", "compiling,\ns", "one's,\ns"),
        *("result,\nMiB", "beyond,\nMiB", "one's,\nMiB"),
    )
    for row in rows:
        cells.add_row(
            str(row.size),
            f"{1e3 * row.all_plans:.0f}",
            f"{1e3 * row.plan:.0f}",
            f"{row.ratio:.1f}",
            f"{row.compile_all:.1f}",
            f"{row.compile_plan:.1f}",
            *(f"{size / 2**20:.1f}" for size in (row.result, row.beyond_result, row.plan_peak)),
        )
    return Group(cells, Text(COST_NOTES, style="dim"))
