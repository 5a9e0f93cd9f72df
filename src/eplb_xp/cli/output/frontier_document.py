"""What moves buy, for scripts: a list of a figure for each number of moves."""

from collections.abc import Sequence
from typing import Any

from eplb_xp.cli.buying import Bought, Figures, Spent
from eplb_xp.cli.output.documents import of_loads


def bought(found: Bought, expert_bytes: int | None) -> dict[str, Any]:
    """The loads, the sizes, all numbers of moves from 0 on, what is spent, and fresh plans."""
    planners = [
        {"name": planned.name, "relabelled": number > 0, **_figures(found, [figures], expert_bytes)}
        for number, (planned, figures) in enumerate(found.planners)
    ]
    return {
        **of_loads(found.loads),
        **found.layout._asdict(),
        **{name: value for name, value in found.counted._asdict().items() if value is not None},
        "policy": found.search.policy,
        **({} if found.num_nodes == 1 else found.search.reach._asdict()),
        "moves": list(range(len(found.numbers))),
        **_figures(found, found.numbers, expert_bytes),
        "spent": None if found.spent is None else _spent(found, found.spent, expert_bytes),
        "planners": [_single(each) for each in planners],
    }


def _figures(found: Bought, plans: Sequence[Figures], expert_bytes: int | None) -> dict[str, Any]:
    """Of each plan."""
    slots = {
        "mean": [float(each.slots.mean()) for each in plans],
        "mean_share": [float(each.slots.mean()) / found.layout.num_replicas for each in plans],
        "most": [int(each.slots.max()) for each in plans],
    }
    total = {"total": [int(each.slots.sum()) for each in plans]}
    if found.num_nodes > 1:
        total["across_nodes"] = [int(each.across.sum()) for each in plans]
    content: dict[str, Any] = {
        "balancedness": {name: [getattr(each.short, name) for each in plans] for name in plans[0].short._fields},
        "moved_slots": slots | total,
    }
    if expert_bytes is not None:
        content["moved_bytes"] = {name: [expert_bytes * each for each in values] for name, values in total.items()}
    if found.judged is not None:
        planned, steps = found.judged
        content["later"] = {"planned_steps": planned, "steps": steps, "equal": [each.later for each in plans]}
    return content


def _spent(found: Bought, spent: Spent, expert_bytes: int | None) -> dict[str, Any]:
    """How moves are divided, what they bring, and the same number for every layer that brings as much."""
    used, same = found.cost(spent.figures), found.cost(found.numbers[spent.same])
    return {
        "total": spent.total,
        "moves": used,
        "layers": spent.moves.tolist(),
        "same_moves": spent.same,
        "same_total": same,
        **_single(_figures(found, [spent.figures], expert_bytes)),
    }


def _single(content: Any) -> Any:
    """Without the lists around figures of one plan."""
    if isinstance(content, dict):
        return {name: _single(value) for name, value in content.items()}
    return content[0] if isinstance(content, list) else content
