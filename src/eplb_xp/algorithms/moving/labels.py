"""Which GPU of the previous plan each GPU of the new one is called."""

from eplb_xp.algorithms.moving.assigning import assigned
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


def labels(lib: Standard, common: Array, num_nodes: int) -> Array:
    """The labels under which GPUs have most in common with those that had them: overlaps [layers, gpus, gpus].

    GPUs of a node get labels of one node. Returns a permutation of each layer, [layers, gpus].
    """
    xp = lib.xp
    if num_nodes == 1:
        return assigned(lib, common)
    layers, num_gpus, _ = common.shape
    size = num_gpus // num_nodes
    of_nodes = xp.permute_dims(xp.reshape(common, (layers, num_nodes, size, num_nodes, size)), (0, 1, 3, 2, 4))
    of_nodes = xp.reshape(of_nodes, (layers * num_nodes * num_nodes, size, size))
    inside = assigned(lib, of_nodes)

    # What each node has in common with each other one, then, is what nodes are assigned by.
    gpu = lib.arange(size, common)[None, :]
    best = lib.take_along_axis(xp.reshape(of_nodes, (of_nodes.shape[0], size * size)), gpu * size + inside)
    best = xp.sum(best, axis=-1, dtype=lib.index_dtype)
    node = assigned(lib, xp.reshape(best, (layers, num_nodes, num_nodes)))

    node = xp.reshape(node, (layers * num_nodes, 1))
    inside = xp.reshape(inside, (layers * num_nodes, num_nodes * size))
    return xp.reshape(node * size + lib.take_along_axis(inside, node * size + gpu), (layers, num_gpus))
