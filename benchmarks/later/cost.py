"""What shares take on a CPU under jit, beside a NumPy loop that plans item by item.

``make bench-shares`` prints the table of docs/speed.md: 58 layers of deepseek-v3-prefill, planned from 40 steps,
shares of the four that follow, each to the default tolerance; medians.
"""

from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from benchmarks.quality.sizes import Size
from benchmarks.shared import baseline, machine
from benchmarks.shared.progress import progress
from benchmarks.shared.timing import finished, seconds
from eplb_xp import Plan, prepare_shares, rebalance_experts, share_tokens
from eplb_xp.cli.output.tables import new_table
from eplb_xp.loads import generate
from tests.support.libraries import NumPyArray

PLANNED, JUDGED = 40, 4
CALLS = 25
CASES = [
    (size, policy)
    for size in (Size(288, 32), Size(384, 128), Size(320, 32), Size(384, 64))
    for policy in ("ring", "joint")
]


def row(load: NumPyArray, size: Size, policy: str) -> tuple[str, ...]:
    """The cells of a plan: times, their ratio to the loop's, and rounds."""
    past = load[:PLANNED].sum(axis=0).astype(np.float32)
    plan = rebalance_experts(past, size.replicas, 1, 1, size.gpus, policy=policy)
    plan_of_jax = Plan(*(jnp.asarray(each.astype(np.int32)) for each in plan))
    prepare = jax.jit(lambda plan: prepare_shares(plan, size.gpus))
    prepared = finished(lambda: prepare(plan_of_jax))
    share = jax.jit(lambda plan, prepared, weight: share_tokens(plan, weight, size.gpus, prepared=prepared))
    batches = [jnp.asarray(step.astype(np.int32)) for step in load[PLANNED:]]
    loop = _median(lambda: baseline.rebalance_experts(past, size.replicas, 1, 1, size.gpus))
    times = [_median(lambda batch=batch: share(plan_of_jax, prepared, batch)) for batch in batches]
    rounds = np.concatenate([np.asarray(share(plan_of_jax, prepared, batch).rounds) for batch in batches])
    took = sum(times) / len(times)
    figures = (f"{1e3 * took:.3g}", f"{took / loop:.2f}", f"{1e3 * _median(lambda: prepare(plan_of_jax)):.3g}")
    return str(size), policy, *figures, f"{rounds.mean():.1f}", str(rounds.max())


def _median(call: Any) -> float:
    finished(call)
    return median(seconds(call) for _ in range(CALLS))


def main() -> None:
    """Print the table."""
    load = generate("deepseek-v3-prefill", steps=PLANNED + JUDGED)
    cells = new_table("replicas / GPUs", "plan", "shares,\nms", "of the\nloop", "prepare,\nms", "\nrounds", "\nmost")
    with progress(len(CASES)) as announce:
        for size, policy in CASES:
            announce(f"{policy}, {size}")
            cells.add_row(*row(load, size, policy))
    console = Console(width=100)
    console.print(cells)
    console.print(machine.describe())


if __name__ == "__main__":
    main()
