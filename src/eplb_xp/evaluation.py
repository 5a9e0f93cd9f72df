"""How good a plan is."""

from typing import Any

import numpy as np

from eplb_xp.algorithms import evaluation
from eplb_xp.arguments import explained
from eplb_xp.backends import library_of
from eplb_xp.checks import check_array, check_values_if_free
from eplb_xp.sizes import Sizes, check_sizes
from eplb_xp.types import A, Plan, Report


@explained
def evaluate(
    plan: Plan[A] | tuple[A, A, A], weight: A, num_gpus: int, *, num_groups: int = 1, num_nodes: int = 1
) -> Report[A]:
    """Measure a plan, made by anyone, on loads, and compare it with what no plan can beat.

    Parameters
    ----------
    plan : Plan or triple of arrays
        Only its first array is read: ``phy2log`` [layers, replicas] integers, the expert in each slot.
    weight : [layers, experts], integers or floats
        Tokens for each logical expert, of the same library; the replicas of an expert share equally.
    num_gpus : int
        GPUs, with equally many contiguous slots each.
    num_groups, num_nodes : int
        With groups that divide over the nodes, the plan is held to keep whole groups on nodes,
        equally many on each, and the bound is that of such plans.

    Returns
    -------
    Report
        ``gpu_load`` [layers, gpus], ``balancedness``, ``lower_bound``, ``gap`` and ``doubled``
        [layers]. ``lower_bound`` holds for every plan of this shape.

    Raises
    ------
    TypeError
        Where an array is not of numbers of the right kind, or the two are of different libraries.
    ValueError
        Where shapes or sizes don't fit and, for arrays in host memory, where the plan misses an expert,
        names one that isn't there, or splits a group over nodes. Elsewhere values aren't read, and an
        expert that isn't there counts as the nearest one that is.

    Examples
    --------
    >>> import numpy as np
    >>> from eplb_xp import rebalance_experts
    >>> weight = np.array([[30, 10, 50, 25, 80, 45]])
    >>> report = evaluate(rebalance_experts(weight, 8, 1, 1, 4), weight, 4)
    >>> report.gpu_load
    array([[60. , 62.5, 62.5, 55. ]], dtype=float32)
    >>> report.doubled
    array([0])
    """
    lib = check_array(weight)
    phy2log = plan[0]
    if library_of("phy2log", phy2log) is not lib and type(phy2log) is not type(weight):
        raise TypeError(
            f"the plan and weight must be of the same library, "
            f"got {type(phy2log).__module__} and {type(weight).__module__}"
        )
    if not lib.is_integer(phy2log):
        raise TypeError(f"phy2log must be of integers, got dtype {phy2log.dtype}")
    layers, experts = weight.shape
    shape = tuple(phy2log.shape)
    if len(shape) != 2 or shape[0] != layers:
        raise ValueError(f"phy2log must have shape [layers, replicas] with {layers} layers, got {shape}")
    sizes = check_sizes(
        *(experts, shape[1], num_groups, num_nodes, num_gpus), name="the slots of the plan", are_given=True
    )
    check_values_if_free(lib, weight)
    if lib.is_readable(phy2log):
        _check_plan(lib.to_numpy(phy2log), experts, sizes)
    result: Report[A] = lib.run(evaluation.report, phy2log, weight, sizes=sizes)
    return result


def _check_plan(phy2log: "np.ndarray[Any, Any]", experts: int, sizes: Sizes) -> None:
    """Every expert is there, no other is, and groups stay on nodes."""
    outside = (phy2log < 0) | (phy2log >= experts)
    if outside.any():
        layer, slot = np.unravel_index(np.argmax(outside), outside.shape)
        raise ValueError(
            f"phy2log names an expert that is not there: {phy2log[layer, slot]} at [{layer}, {slot}], "
            f"experts are 0 to {experts - 1}"
        )
    phy2log = phy2log.astype(np.int64)  # the number of experts may be more than an entry holds
    layer_of = np.arange(len(phy2log))[:, None]
    there = np.zeros((len(phy2log), experts), dtype=bool)
    there[layer_of, phy2log] = True
    if not there.all():
        layer, expert = np.unravel_index(np.argmin(there), there.shape)
        number = np.count_nonzero(~there)
        raise ValueError(f"the plan misses {number} experts, the first expert {expert} of layer {layer}")
    group = phy2log // (experts // sizes.num_groups)
    node = np.arange(sizes.num_replicas) // (sizes.num_replicas // sizes.num_nodes)
    on_node = np.zeros((len(phy2log), sizes.num_nodes, sizes.num_groups), dtype=bool)
    on_node[layer_of, node, group] = True
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
