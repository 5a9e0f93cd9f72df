"""Arguments that a function hasn't, but engines and other planners pass: a sentence in place of Python's own error."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from eplb_xp.policy import POLICIES, Policy

F = TypeVar("F", bound=Callable[..., Any])

NAMES_OF_PLANS = ("phy2log", "physical_to_logical_map")

# Names of one and the same argument: ours, and those of vLLM, SGLang and others.
NAMES = (
    ("weight", "weights", "load", "loads", "tokens_per_expert", "expert_load", "expert_workload", "logical_count"),
    ("num_replicas", "num_physical_experts", "num_phy", "num_slots"),
    ("num_gpus", "num_packs", "num_ranks", "num_devices", "ep_size"),
    ("num_groups", "n_group", "num_expert_group", "num_expert_groups"),
    ("num_nodes", "nnodes", "node_num"),
    ("policy", "algorithm", "eplb_algorithm", "policy_type"),
    ("plan", *NAMES_OF_PLANS),
    (
        "previous",
        "old_global_expert_indices",
        "old_phy2log",
        "current_expert_table",
        "phy2log",
        "physical_to_logical_map",
    ),
)

_PREVIOUS = "this function makes no use of a previous placement, rebalance_experts does: it has previous"
INSTEAD = {
    **dict.fromkeys(("old_global_expert_indices", "old_phy2log", "current_expert_table"), _PREVIOUS),
    **dict.fromkeys(NAMES_OF_PLANS, _PREVIOUS),
    **dict.fromkeys(
        ("rank_mapping", "active_ranks", "active_gpus"),
        "all GPUs count: num_gpus is the number of those that are up, or eplb_xp.engines.on_active finds these",
    ),
    "enable_hierarchical": "whole groups stay on nodes where num_groups divide over num_nodes; 1 and 1 is global",
    "num_local_physical_experts": "num_gpus is num_physical_experts // num_local_physical_experts",
    **dict.fromkeys(("num_logical_experts", "num_experts"), "weight has as many columns, leave it out"),
}


def explained(function: F) -> F:
    """The function, which says what to do where it is called with arguments that it hasn't."""
    parameters = inspect.signature(function).parameters
    names, known = tuple(parameters), frozenset(parameters)
    by_position = tuple(name for name in names if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY)
    most = len(by_position)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) > most or not known.issuperset(kwargs):
            misfits = [f"no {name}: {_of_name(name, names)}" for name in kwargs if name not in known]
            if len(args) > most:
                taken = f"{most} argument{'s' if most > 1 else ''} by position ({', '.join(by_position)})"
                misfits.insert(0, f"{taken}, got {len(args)}: {_of_value(args[most], names, names[most:])}")
            raise TypeError(f"{function.__name__}() takes {'; '.join(misfits)}")
        return function(*args, **kwargs)

    return cast("F", call)


def _of_value(value: Any, names: Sequence[str], by_keyword: Sequence[str]) -> str:
    """What to do about the first argument too many."""
    if isinstance(value, str | Policy) and "policy" in names:
        return f"pass policy={value!r}" if isinstance(value, Policy) or value in POLICIES else _POLICY
    if (value is None or hasattr(value, "shape")) and "plan" not in names:
        return "pass a previous placement as previous" if "previous" in names else _PREVIOUS
    return f"by keyword there are {', '.join(by_keyword)}" if by_keyword else "leave out what is too many"


_POLICY = f"pass policy, one of {', '.join(map(repr, POLICIES))}"


def _of_name(name: str, names: Sequence[str]) -> str:
    """What to do about a keyword."""
    same = next((ours for group in NAMES if name in group for ours in group if ours in names), None)
    if same is not None:
        return _POLICY if same == "policy" else f"pass it as {same}"
    if name in INSTEAD:
        return INSTEAD[name]
    from difflib import get_close_matches  # noqa: PLC0415 # a tenth of the time to import the package

    near = get_close_matches(name, names, 1)
    return f"pass it as {near[0]}" if near else f"its arguments are {', '.join(names)}"
