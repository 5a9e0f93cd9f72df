"""Slots and experts of any placement: the slots of each expert, and loads of slots as loads of experts."""

from typing import Any, cast

import numpy as np

from eplb_xp.algorithms import slots
from eplb_xp.arguments import explained
from eplb_xp.backends import library_of
from eplb_xp.backends.standard import Standard
from eplb_xp.given import Given, check_ids, check_library
from eplb_xp.sizes import check_integer
from eplb_xp.types import A


@explained
def logical_maps(phy2log: A, num_experts: int, width: int | None = None) -> tuple[A, A]:
    """List the slots of each expert of any placement, as a `Plan` has them.

    Parameters
    ----------
    phy2log : [layers, replicas] integers
        The logical expert in each slot; -1 where a slot is empty.
    num_experts : int
        Logical experts. Static under ``jax.jit``, as ``width``.
    width : int, optional
        The most slots of one expert. By default the number of replicas - that of experts + 1, at least 1: no expert of
        a plan has more, since all others have one at least. Where experts have none, others may.

    Returns
    -------
    log2phy : [layers, experts, width] integers
        The slots of each logical expert, ascending, then -1.
    logcnt : [layers, experts] integers
        How many they are; 0 for an expert that no slot holds.

    Raises
    ------
    TypeError
        Where ``phy2log`` is no array of integers.
    ValueError
        Where its shape is another, a number is less than 1 and, for arrays in host memory, where an entry is neither an
        expert nor -1, or an expert has more slots than ``width``. Elsewhere such an entry is an empty slot, and slots
        beyond the first ``width`` of an expert are left out, of ``logcnt`` too.

    Examples
    --------
    >>> import numpy as np
    >>> log2phy, logcnt = logical_maps(np.array([[2, 0, -1, 2, 3, 2]]), num_experts=4)
    >>> log2phy
    array([[[ 1, -1, -1],
            [-1, -1, -1],
            [ 0,  3,  5],
            [ 4, -1, -1]]])
    >>> logcnt
    array([[1, 0, 3, 1]])
    """
    lib = library_of("phy2log", phy2log)
    experts = check_integer("num_experts", num_experts)
    replicas = _check_placement(lib, phy2log, experts)
    most = max(replicas - experts + 1, 1) if width is None else check_integer("width", width)
    _check_width_if_free(lib, phy2log, experts, most, is_given=width is not None)
    return cast("tuple[A, A]", lib.run(slots.logical_maps, phy2log, num_experts=experts, width=most))


@explained
def expert_loads(slot_load: A, phy2log: A, num_experts: int) -> A:
    """Sum what engines count for each slot over the slots of each expert: the loads to plan from.

    Parameters
    ----------
    slot_load : [layers, replicas] or [steps, layers, replicas], integers or floats
        Tokens of each slot.
    phy2log : [layers, replicas] integers
        The logical expert in each slot while they were counted; -1 where a slot is empty, whose tokens are nobody's.
    num_experts : int
        Logical experts. Static under ``jax.jit``.

    Returns
    -------
    [layers, experts] or [steps, layers, experts]
        Of integers the exact sums, int64; in JAX without x64 int32, as all of its integers, so below 2^31 tokens an
        expert. Floats are taken as float32, those below 2^-126 as zero, and added in the order of slots, so that all
        libraries find the same bits.

    Raises
    ------
    TypeError
        Where ``slot_load`` is not of real numbers or ``phy2log`` not of integers, or they are of different libraries.
    ValueError
        Where shapes don't fit, the number is less than 1 and, for arrays in host memory, where an entry of ``phy2log``
        is neither an expert nor -1. Elsewhere that is an empty slot. Loads are not looked at; `check_loads` does that.

    Examples
    --------
    >>> import numpy as np
    >>> expert_loads(np.array([[30, 10, 7, 20, 5, 40]]), np.array([[2, 0, -1, 2, 3, 2]]), num_experts=4)
    array([[10,  0, 90,  5]])
    """
    lib = library_of("slot_load", slot_load)
    if not lib.is_real(slot_load):
        raise TypeError(f"slot_load must be of integers or real floats, got dtype {slot_load.dtype}")
    check_library(lib, "phy2log", phy2log, slot_load)
    experts = check_integer("num_experts", num_experts)
    _check_placement(lib, phy2log, experts)
    shape, of_slots = tuple(slot_load.shape), tuple(phy2log.shape)
    if len(shape) not in {2, 3} or shape[-2:] != of_slots:
        raise ValueError(
            f"slot_load must have shape [layers, replicas], of phy2log {of_slots}, or steps in front of it, got {shape}"
        )
    step = slots.expert_counts if lib.is_integer(slot_load) else slots.expert_floats
    each: Any = slot_load
    each = each[:, None, :] if len(shape) == 2 else lib.xp.permute_dims(each, (1, 0, 2))
    (load,) = lib.run(step, phy2log, each, num_experts=experts)
    return cast("A", load[:, 0, :] if len(shape) == 2 else lib.xp.permute_dims(load, (1, 0, 2)))


def check_ids_if_free(lib: Standard, name: str, phy2log: Any, experts: int, *, may_be_empty: bool = False) -> None:
    """Where reading costs nothing: no slot holds an expert that isn't there."""
    if lib.is_readable(phy2log):
        check_ids(name, lib.to_numpy(phy2log), experts, ", and -1 where a slot is empty" if may_be_empty else "")


def _check_placement(lib: Standard, phy2log: Any, experts: int) -> int:
    """What slots hold, and how many there are."""
    given = Given(lib, phy2log)
    given.check("phy2log", phy2log, "layers replicas")
    if given.sizes["replicas"] == 0:
        raise ValueError(f"phy2log must have at least one slot, got shape {tuple(phy2log.shape)}")
    check_ids_if_free(lib, "phy2log", phy2log, experts, may_be_empty=True)
    return given.sizes["replicas"]


def _check_width_if_free(lib: Standard, phy2log: Any, experts: int, width: int, *, is_given: bool) -> None:
    """Where reading costs nothing: no expert has more slots."""
    if not lib.is_readable(phy2log):
        return
    held = lib.to_numpy(phy2log).astype(np.int64)
    layer, slot = np.nonzero(held >= 0)
    number = np.zeros((len(held), experts), np.int64)
    np.add.at(number, (layer, held[layer, slot]), 1)
    most = number.max(initial=0)
    if most > width:
        its_layer, expert = np.unravel_index(number.argmax(), number.shape)
        raise ValueError(
            f"width must be at least {most}, the slots of expert {expert} in layer {its_layer}, "
            f"{'got' if is_given else 'by default it is'} {width}"
        )
