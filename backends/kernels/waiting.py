"""Programs that wait for each other, and threads of a warp that stay together."""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.bits import LOWEST


@triton.jit
def uniform(x):
    """A number that all threads have, from an instruction of which the compiler knows that they do."""
    return tl.max(tl.where(tl.arange(0, 32) == 0, x, LOWEST), axis=0)


@triton.jit
def signal(counter_at):
    """Count one up, once all that this program wrote can be read."""
    tl.debug_barrier()
    tl.atomic_add(counter_at, 1, sem="release")


@triton.jit
def wait(counter_at, number):
    counted = uniform(tl.atomic_add(counter_at, 0, sem="acquire"))
    while counted < number:
        counted = uniform(tl.atomic_add(counter_at, 0, sem="acquire"))
    tl.debug_barrier()
