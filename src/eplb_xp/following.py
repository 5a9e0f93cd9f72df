"""What a plan that follows another is given beside the loads: the plan in use, a budget, the least gain."""

from typing import Any

import numpy as np

from eplb_xp.algorithms.following.follow import FRESH_FROM
from eplb_xp.backends.standard import Standard
from eplb_xp.given import check_ids, check_library, groups_by_node
from eplb_xp.sizes import Sizes, as_integer, check_divisor, check_integer, check_number

# Twice that may be divided by, see `Standard.divide`.
MOST_FAR_COST = 1000


def as_reach(gpus_per_node: Any, far_cost: Any, max_moves: Any, sizes: Sizes) -> dict[str, int]:
    """How many GPUs are near each other, and what a move from a GPU that is not counts."""
    near = sizes.num_gpus
    if gpus_per_node is not None:
        near = check_integer("gpus_per_node", gpus_per_node)
        check_divisor("gpus_per_node", near, "num_gpus", sizes.num_gpus)
    cost = check_integer("far_cost", far_cost)
    if cost > MOST_FAR_COST:
        raise ValueError(f"far_cost must be at most {MOST_FAR_COST}, got {cost}")
    if cost > 1:
        if max_moves is None:
            raise ValueError(f"far_cost={cost} is what a move from another node counts in max_moves: give that, too")
        if gpus_per_node is None:
            raise ValueError(f"far_cost={cost} is what a move from another node counts: say gpus_per_node, too")
        if sizes.num_nodes > 1 and near % (sizes.num_gpus // sizes.num_nodes) == 0:
            raise ValueError(
                f"no move is far in a hierarchical plan: it keeps every group on one of {sizes.num_nodes} nodes of "
                f"{sizes.num_gpus // sizes.num_nodes} GPUs, so far_cost={cost} has nothing to count; leave it at 1, or "
                f"plan with num_groups=1, num_nodes=1"
            )
    return {"gpus_per_node": near, "far_cost": cost}


def check_no_previous(max_moves: Any, min_gain: Any) -> None:
    """Nothing is said of a plan in use, where none is given."""
    if max_moves is not None:
        raise ValueError("max_moves is how much of a plan may change: give that plan as previous")
    if hasattr(min_gain, "shape") or min_gain:
        raise ValueError("min_gain is what a change of a plan must gain: give that plan as previous")


def previous_slots(lib: Standard, previous: Any, weight: Any, sizes: Sizes) -> Any:
    """The slots of the plan in use, [layers, replicas], which fit the loads [layers, samples, experts]."""
    slots = previous[0] if isinstance(previous, tuple) else previous
    check_library(lib, "previous", slots, weight)
    if not lib.is_integer(slots):
        raise TypeError(f"previous must be of integers, got dtype {slots.dtype}")
    layers, _, experts = weight.shape
    wanted, shape = (layers, sizes.num_replicas), tuple(slots.shape)
    if shape != wanted:
        raise ValueError(f"previous must have shape [layers, num_replicas], here {wanted}, got {shape}")
    if lib.is_readable(slots):
        _check_slots(lib.to_numpy(slots), experts, sizes)
    return slots


def as_budget(lib: Standard, name: str, moves: Any, like: Any) -> Any:
    """Moves for each layer: [layers, 1] indices, where an array [layers, some, some] is."""
    xp = lib.xp
    layers = like.shape[0]
    each = xp.zeros_like(like[:, :1, 0], dtype=lib.index_dtype)
    if not hasattr(moves, "shape") or isinstance(moves, np.generic):
        return each + min(_not_negative(name, as_integer(name, moves, "an")), MOST_MOVES)
    check_library(lib, name, moves, like)
    if not lib.is_integer(moves):
        raise TypeError(f"{name} must be of integers, got dtype {moves.dtype}")
    shape = tuple(moves.shape)
    if shape not in {(), (layers,)}:
        raise ValueError(f"{name} must be an integer, or of shape () or [layers], ({layers},), got {shape}")
    if lib.is_readable(moves):
        _not_negative(name, int(lib.to_numpy(moves).min(initial=0)))
    return each + xp.reshape(xp.clip(xp.astype(moves, lib.index_dtype), 0, MOST_MOVES), (-1, 1))


def as_min_gain(lib: Standard, min_gain: Any, weight: Any) -> Any:
    """The least gain for each layer: [layers, 1] float32, where the loads are."""
    xp = lib.xp
    each = xp.zeros_like(weight[:, :1, 0], dtype=xp.float32)
    if not hasattr(min_gain, "shape") or isinstance(min_gain, np.generic):
        check_number("min_gain", min_gain, 0, 1)
        return each + float(min_gain)
    check_library(lib, "min_gain", min_gain, weight)
    if not lib.is_real(min_gain):
        raise TypeError(f"min_gain must be of integers or real floats, got dtype {min_gain.dtype}")
    if tuple(min_gain.shape) != ():
        raise ValueError(f"min_gain must be a number or an array of no dimensions, got shape {tuple(min_gain.shape)}")
    if lib.is_readable(min_gain):
        check_number("min_gain", float(lib.to_numpy(min_gain)), 0, 1)
    return each + xp.clip(lib.float32(min_gain), 0.0, 1.0)


def is_small(max_moves: Any, num_replicas: int) -> bool:
    """Whether it is known that so few may move that no fresh plan is within the budget."""
    return not hasattr(max_moves, "shape") and int(max_moves) * FRESH_FROM < num_replicas


# More than there are slots; as an index of 32 bits it can be multiplied by `FRESH_FROM`.
MOST_MOVES = 2**24


def _not_negative(name: str, moves: int) -> int:
    if moves < 0:
        raise ValueError(f"{name} must be at least 0, got {moves}")
    return moves


def _check_slots(slots: "np.ndarray[Any, Any]", experts: int, sizes: Sizes) -> None:
    """Every slot holds an expert or nothing, no expert has too many replicas, and groups are on one node each."""
    check_ids("previous", slots, experts, ", and -1 is a slot that holds nothing")
    held = np.where(slots < 0, experts, slots.astype(np.int64))
    if sizes.max_replicas is not None:
        number = np.zeros((len(held), experts + 1), np.int64)
        np.add.at(number, (np.arange(len(held))[:, None], held), 1)
        most = number[:, :experts].max(initial=0)
        if most > sizes.max_replicas:
            layer, expert = np.argwhere(number[:, :experts] == most)[0]
            raise ValueError(
                f"previous has {most} replicas of expert {expert} in layer {layer}, "
                f"more than max_replicas={sizes.max_replicas}"
            )
    if sizes.num_nodes > 1:
        _check_groups(held, experts, sizes)


def _check_groups(held: Any, experts: int, sizes: Sizes) -> None:
    on_node = groups_by_node(held, experts, sizes)
    nodes_of_group = on_node.sum(axis=1)
    if nodes_of_group.max(initial=0) > 1:
        layer, group = np.argwhere(nodes_of_group > 1)[0]
        raise ValueError(
            f"previous splits groups over nodes: group {group} of layer {layer} is on "
            f"{nodes_of_group[layer, group]} nodes; plan without previous once, or with num_groups=1, num_nodes=1"
        )
    groups_of_node = on_node.sum(axis=2)
    most = sizes.num_groups // sizes.num_nodes
    if groups_of_node.max(initial=0) > most:
        layer, node = np.argwhere(groups_of_node > most)[0]
        raise ValueError(
            f"previous has {groups_of_node[layer, node]} groups on node {node} of layer {layer}; "
            f"{sizes.num_groups} groups on {sizes.num_nodes} nodes are {most} a node"
        )
