"""From one plan to the next: where weights come from, and how many of them GPUs send."""

from typing import Any, cast

import numpy as np

from eplb_xp.algorithms.transfers import moves as transfers
from eplb_xp.arguments import explained
from eplb_xp.backends import library_of
from eplb_xp.given import Given
from eplb_xp.maps import check_ids_if_free
from eplb_xp.sizes import check_divisor, check_integer
from eplb_xp.types import A, MovedBytes, Moves, Plan


@explained
def moves(
    previous: Plan[A] | tuple[A, ...] | A,
    plan: Plan[A] | tuple[A, ...] | A,
    num_gpus: int,
    num_nodes: int = 1,
    *,
    gpus_per_node: int | None = None,
) -> Moves[A]:
    """Find the slots of the previous plan that the weights of a plan come from: near ones, and from no GPU too many.

    A slot that held its expert keeps it. Else the weights come from the lowest slot of the same GPU that held it, else
    from a GPU of the same node, else from any. Where several GPUs are equally near, slots of fewest choices come first,
    in the order of slots, and each takes from the GPU that has sent least so far, the lowest numbered of those; then
    slots are passed on to other GPUs, as near, until the one that sends most sends as little as it can.

    Parameters
    ----------
    previous, plan : Plan, tuple of arrays or array
        The plan in use and the one to follow: ``phy2log`` [layers, replicas], integers, or a tuple that begins with it.
        -1 in ``previous`` is a slot that holds nothing.
    num_gpus : int
        GPUs, with equally many slots each; divides the number of replicas. Static under ``jax.jit``, as what follows.
    num_nodes : int
        Nodes, with equally many contiguous GPUs each; divides the number of GPUs.
    gpus_per_node : int, optional
        The same said by the GPUs of a node, as `rebalance_experts` has it; divides the number of GPUs.

    Returns
    -------
    Moves
        The source of each slot, what each GPU receives and sends, and what must be read before it is overwritten.

    Raises
    ------
    TypeError
        Where an array is not of integers, or they are of different libraries.
    ValueError
        Where shapes differ, or sizes don't divide and, for arrays in host memory, where an entry is no expert: they are
        less than the number of replicas. Elsewhere such an entry of ``previous`` is a slot that holds nothing, and one
        of ``plan`` counts as the nearest that is there.

    Examples
    --------
    >>> import numpy as np
    >>> used, new = np.array([[0, 1, 2, 3, 0, 4]]), np.array([[1, 0, 0, 3, 5, 0]])
    >>> found = moves(used, new, num_gpus=3)
    >>> found.source  # slots 0 and 1 change places, slot 2 has a choice of two GPUs, nobody held expert 5
    array([[ 1,  0,  0,  3, -1,  4]])
    >>> found.received, found.sent
    (array([[0, 1, 1]]), array([[1, 0, 0]]))
    >>> found.buffered
    array([[ True,  True, False, False,  True, False]])
    """
    used, new = (x[0] if isinstance(x, tuple) else x for x in (previous, plan))
    lib = library_of("plan", new)
    given = Given(lib, new)
    given.check("plan", new, "layers replicas")
    given.check("previous", used, "layers replicas")
    slots = given.sizes["replicas"]
    gpus, nodes = check_integer("num_gpus", num_gpus), check_integer("num_nodes", num_nodes)
    if slots == 0:
        raise ValueError(f"plan must have at least one slot, got shape {tuple(new.shape)}")
    check_divisor("num_gpus", gpus, "the slots of the plan", slots)
    check_divisor("num_nodes", nodes, "num_gpus", gpus)
    if gpus_per_node is not None:
        near = check_integer("gpus_per_node", gpus_per_node)
        check_divisor("gpus_per_node", near, "num_gpus", gpus)
        if nodes not in {1, gpus // near}:
            raise ValueError(f"{gpus} GPUs on num_nodes={nodes} are {gpus // nodes} a node, got gpus_per_node={near}")
        nodes = gpus // near
    check_ids_if_free(lib, "plan", new, slots)
    check_ids_if_free(lib, "previous", used, slots, may_be_empty=True)
    return cast("Moves[A]", lib.run(transfers.moves, used, new, num_gpus=gpus, num_nodes=nodes))


def bytes_of(moved: Moves[Any], expert_bytes: int) -> MovedBytes:
    """What transfers are in bytes."""
    size = check_integer("expert_bytes", expert_bytes)
    lib = library_of("received", moved.received)
    try:
        received, sent, sent_across, buffered = (lib.to_numpy(x).astype(np.int64) for x in moved[1:])
    except TypeError as error:
        raise TypeError(
            "bytes are counted in host memory, and traced arrays have no values yet: call Moves.bytes outside of "
            "jax.jit, torch.compile and the like"
        ) from error
    layers, gpus = received.shape
    in_use = buffered.reshape(layers, gpus, buffered.shape[1] // gpus).sum(axis=2).max(axis=0, initial=0)
    number = [x.sum(axis=0) for x in (received, sent, sent_across)]
    return MovedBytes(size * int(received.sum()), *(size * x for x in (*number, in_use)))
