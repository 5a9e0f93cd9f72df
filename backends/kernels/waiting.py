"""Programs that wait for each other."""

import triton
import triton.language as tl


@triton.jit
def signal(counter_at):
    """Count one up, once all that this program wrote can be read."""
    tl.debug_barrier()
    tl.atomic_add(counter_at, 1, sem="release")


@triton.jit
def wait(counter_at, number):
    counted = tl.atomic_add(counter_at, 0, sem="acquire")
    while counted < number:
        counted = tl.atomic_add(counter_at, 0, sem="acquire")
    tl.debug_barrier()
