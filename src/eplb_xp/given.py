"""Plans that are given, by anyone: what they must be."""

from typing import Any

import numpy as np

from eplb_xp.backends import library_of
from eplb_xp.backends.standard import Standard
from eplb_xp.sizes import Sizes, check_sizes
from eplb_xp.types import A, Plan


def check_plan(
    lib: Standard,
    plan: Plan[A] | tuple[A, ...],
    weight: A,
    num_gpus: Any,
    *,
    num_groups: Any = 1,
    num_nodes: Any = 1,
) -> tuple[A, Sizes]:
    """The experts in the slots of a plan that fits loads of a library, and the sizes of the plan."""
    phy2log = plan[0]
    check_library(lib, "phy2log", phy2log, weight)
    if not lib.is_integer(phy2log):
        raise TypeError(f"phy2log must be of integers, got dtype {phy2log.dtype}")
    layers, experts = weight.shape[-2:]
    shape = tuple(phy2log.shape)
    if len(shape) != 2 or shape[0] != layers:
        raise ValueError(f"phy2log must have shape [layers, replicas] with {layers} layers, got {shape}")
    sizes = check_sizes(
        *(experts, shape[1], num_groups, num_nodes, num_gpus), name="the slots of the plan", are_given=True
    )
    return phy2log, sizes


def check_library(lib: Standard, name: str, x: Any, like: Any) -> None:
    """An array is of the library that the others are of."""
    if library_of(name, x) is not lib and type(x) is not type(like):
        raise TypeError(
            f"all arrays must be of the same library, got {name} of {type(x).__module__} and {type(like).__module__}"
        )


class Given:
    """Arrays of integers, of one library, whose dimensions fit together.

    Parameters
    ----------
    lib : Standard
        The library.
    like : array
        One that is of it.
    """

    def __init__(self, lib: Standard, like: Any) -> None:
        self.lib = lib
        self.like = like
        self.sizes: dict[str, int] = {}

    def check(self, name: str, x: Any, dimensions: str) -> None:
        """One more, whose dimensions have these names: of a name that was there before each has the same size."""
        check_library(self.lib, name, x, self.like)
        if not self.lib.is_integer(x):
            raise TypeError(f"{name} must be of integers, got dtype {x.dtype}")
        names, shape = dimensions.split(), tuple(x.shape)
        known = [f"{self.sizes[each]} {each}" for each in names if each in self.sizes]
        fits = len(shape) == len(names)
        if not fits or any(self.sizes.setdefault(*pair) != pair[1] for pair in zip(names, shape, strict=True)):
            where = f" with {', '.join(known)}" if known else ""
            raise ValueError(f"{name} must have shape [{', '.join(names)}]{where}, got {shape}")


def check_experts_if_free(lib: Standard, phy2log: Any, experts: int, sizes: Sizes) -> None:
    """Where reading costs nothing: every expert is there, no other is, and groups stay on nodes."""
    if lib.is_readable(phy2log):
        _check_experts(lib.to_numpy(phy2log), experts, sizes)


def check_maps_if_free(lib: Standard, plan: Any) -> None:
    """Where reading costs nothing: the slots of each expert are all that hold it."""
    if not all(map(lib.is_readable, plan)):
        return
    phy2log, log2phy, logcnt = map(lib.to_numpy, plan)
    is_replica = np.arange(log2phy.shape[2]) < logcnt[:, :, None]
    layer, expert, _ = np.nonzero(is_replica)
    slot = log2phy[is_replica].astype(np.int64)
    inside = (slot >= 0) & (slot < phy2log.shape[1])
    wrong = ~inside | (phy2log[layer, np.where(inside, slot, 0)] != expert)
    if wrong.any():
        at = wrong.argmax()
        raise ValueError(
            f"log2phy is of another plan: it has slot {slot[at]} for expert {expert[at]} of layer {layer[at]}, "
            "which phy2log has not there"
        )
    times = np.zeros(phy2log.shape, np.int64)
    np.add.at(times, (layer, slot), 1)
    if (times != 1).any():
        its_layer, its_slot = np.unravel_index(np.argmax(times != 1), times.shape)
        number = times[its_layer, its_slot]
        raise ValueError(f"log2phy is of another plan: it has slot {its_slot} of layer {its_layer} {number} times")


def check_ids(name: str, expert: "np.ndarray[Any, Any]", experts: int, empty: str = "") -> None:
    """No slot [layers, replicas] holds an expert that isn't there; -1 is none where words say what it is."""
    least = -bool(empty)
    if expert.size and (expert.min() < least or expert.max() >= experts):
        outside = (expert < least) | (expert >= experts)
        layer, slot = np.unravel_index(np.argmax(outside), outside.shape)
        raise ValueError(
            f"{name} names an expert that is not there: {expert[layer, slot]} at [{layer}, {slot}], "
            f"experts are 0 to {experts - 1}{empty}"
        )


def groups_by_node(expert: "np.ndarray[Any, Any]", experts: int, sizes: Sizes) -> "np.ndarray[Any, Any]":
    """Whether a node holds a group, empty slots being of expert number ``experts``: [layers, nodes, groups]."""
    group = expert // (experts // sizes.num_groups)
    node = np.arange(sizes.num_replicas) // (sizes.num_replicas // sizes.num_nodes)
    on_node = np.zeros((len(expert), sizes.num_nodes, sizes.num_groups + 1), dtype=bool)
    on_node[np.arange(len(expert))[:, None], node, group] = True
    return on_node[:, :, : sizes.num_groups]


def _check_experts(phy2log: "np.ndarray[Any, Any]", experts: int, sizes: Sizes) -> None:
    """Every expert is there, no other is, and groups stay on nodes."""
    check_ids("phy2log", phy2log, experts)
    phy2log = phy2log.astype(np.int64, copy=False)  # the number of experts may be more than an entry holds
    there = np.zeros((len(phy2log), experts), dtype=bool)
    there.reshape(-1)[phy2log + np.arange(0, there.size, experts)[:, None]] = True
    if not there.all():
        layer, expert = np.unravel_index(np.argmin(there), there.shape)
        number = np.count_nonzero(~there)
        raise ValueError(f"the plan misses {number} experts, the first expert {expert} of layer {layer}")
    if sizes.num_nodes == 1:
        return
    on_node = groups_by_node(phy2log, experts, sizes)
    nodes_of_group = on_node.sum(axis=1)
    if (nodes_of_group > 1).any():
        layer, split = np.unravel_index(np.argmax(nodes_of_group > 1), nodes_of_group.shape)
        nodes = nodes_of_group[layer, split]
        raise ValueError(f"the plan splits groups over nodes: group {split} of layer {layer} is on {nodes} nodes")
    uneven = on_node.sum(axis=2) != sizes.num_groups // sizes.num_nodes
    if uneven.any():
        layer, busy = np.unravel_index(np.argmax(uneven), uneven.shape)
        raise ValueError(
            f"the plan puts {on_node[layer, busy].sum()} groups on node {busy} of layer {layer}; "
            f"{sizes.num_groups} groups on {sizes.num_nodes} nodes are {sizes.num_groups // sizes.num_nodes} a node"
        )
