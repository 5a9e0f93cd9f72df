"""What no plan can beat: bounds on the busiest GPU's load that hold for every valid plan of a shape."""

from eplb_xp.algorithms.bounds.busiest_node import busiest_node
from eplb_xp.algorithms.bounds.points import raised
from eplb_xp.algorithms.counts.replication import replicate
from eplb_xp.algorithms.rows import tree_sum
from eplb_xp.backends.standard import Standard
from eplb_xp.sizes import Sizes
from eplb_xp.types import Array


def lower_bound(lib: Standard, load: Array, sizes: Sizes) -> Array:
    """Load that the busiest GPU of any valid plan has at least, replicas sharing equally: [layers].

    The largest of three, raised as far as points prove (`points.py`):

    - the mean GPU load;
    - the largest replica under D'Hondt's counts, which make it as small as any counts can;
    - the load of the busiest node under the best split of whole groups over nodes, spread evenly
      over the GPUs of that node.

    Sums are rounded down by more than the float32 sums of a plan's GPU loads can be off, so that a
    plan's own figures never lie below the bound. The largest replica needs no such margin: rounding
    is monotone, and adding loads to a replica never makes the sum smaller.
    """
    xp = lib.xp
    layers, experts = load.shape
    count = replicate(lib, load, sizes.num_replicas).count
    replica = xp.max(lib.divide(load, xp.astype(count, xp.float32)), axis=-1)
    groups = tree_sum(lib, xp.reshape(load, (layers, sizes.num_groups, experts // sizes.num_groups)))
    evenly = tree_sum(lib, groups) / sizes.num_gpus
    if sizes.num_nodes > 1:
        node = busiest_node(lib, groups, sizes.num_nodes)
        evenly = xp.maximum(evenly, node / (sizes.num_gpus // sizes.num_nodes))
    additions = 2 * experts.bit_length() + sizes.num_replicas // sizes.num_gpus
    down = 1.0 - (additions + 4) * 2.0**-24
    return xp.maximum(replica, raised(lib, load, sizes, xp.maximum(replica, evenly)) * down)
