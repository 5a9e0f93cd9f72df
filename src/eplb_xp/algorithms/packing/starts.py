"""In which orders a packing is tried: the loads, each start with noise of its own.

The noise is a hash of seed, start and item, made where the loads are: no table has to travel there,
and what an item gets does not depend on how many items there are. Every product on the way to a float is
exact, so that no compiler can round it in another way.
"""

from eplb_xp.algorithms.hashing import hashed
from eplb_xp.backends.standard import Standard
from eplb_xp.policy import Policy
from eplb_xp.types import Array

U_BITS = 11  # of u
NOISE_BITS = 12  # of the noise of a start; together with those of u they fit a float32


def sort_keys(lib: Standard, load: Array, policy: Policy) -> Array:
    """What each start sorts by, load * (1 + u * noise * start / (starts - 1)): [rows, starts, items]."""
    xp = lib.xp
    rows, items = load.shape
    start = lib.arange(policy.starts, load)[:, None]
    item = lib.arange(items, load)[None, :]
    of_start = hashed(hashed(xp.full_like(start, policy.seed)) + start)
    u = hashed(of_start + item) >> (31 - U_BITS)
    noise = start * round(policy.noise * 2**NOISE_BITS) // max(policy.starts - 1, 1)
    factor = 1.0 + xp.astype(u * noise, xp.float32) * 2.0 ** -(U_BITS + NOISE_BITS)
    return xp.broadcast_to(load[:, None, :], (rows, policy.starts, items)) * factor[None, :, :]
