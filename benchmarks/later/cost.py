"""What shares take on a CPU, from NumPy and under jit, beside a NumPy loop that plans item by item.

``make bench-shares`` prints the table of docs/speed.md: 58 layers of deepseek-v3-prefill, planned from 40 steps,
shares of the four that follow, each to the default tolerance; medians. NumPy's are native code's, where it is built.
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
    """The cells of a plan: times and their ratios to the loop's, from NumPy and under jit, and rounds."""
    past = load[:PLANNED].sum(axis=0).astype(np.float32)
    plan = rebalance_experts(past, size.replicas, 1, 1, size.gpus, policy=policy)
    plan_of_jax = Plan(*(jnp.asarray(each.astype(np.int32)) for each in plan))
    prepare = jax.jit(lambda plan: prepare_shares(plan, size.gpus))
    prepared = finished(lambda: prepare(plan_of_jax))
    share = jax.jit(lambda plan, prepared, weight: share_tokens(plan, weight, size.gpus, prepared=prepared))
    batches = load[PLANNED:].astype(np.int32)
    loop = _median(lambda: baseline.rebalance_experts(past, size.replicas, 1, 1, size.gpus))
    its_own = prepare_shares(plan, size.gpus)
    from_numpy = [
        _median(lambda batch=batch: share_tokens(plan, batch, size.gpus, prepared=its_own)) for batch in batches
    ]
    of_jax = [*map(jnp.asarray, batches)]
    compiled = [_median(lambda batch=batch: share(plan_of_jax, prepared, batch)) for batch in of_jax]
    preparing = [_median(lambda: prepare_shares(plan, size.gpus)), _median(lambda: prepare(plan_of_jax))]
    rounds = np.concatenate([np.asarray(share(plan_of_jax, prepared, batch).rounds) for batch in of_jax])
    cells = [str(size), policy]
    for times, its_preparing in zip((from_numpy, compiled), preparing, strict=True):
        took = sum(times) / len(times)
        cells += [f"{1e3 * took:.3g}", f"{took / loop:.2g}", f"{1e3 * its_preparing:.3g}"]
    return *cells, f"{rounds.mean():.1f}", str(rounds.max())


def _median(call: Any) -> float:
    finished(call)
    return median(seconds(call) for _ in range(CALLS))


def main() -> None:
    """Print the table."""
    load = generate("deepseek-v3-prefill", steps=PLANNED + JUDGED)
    times = ("{},\nms", "of the\nloop", "prepare,\nms")
    columns = [column.format(form) for form in ("NumPy", "jit") for column in times]
    cells = new_table("replicas / GPUs", "plan", *columns, "\nrounds", "\nmost")
    with progress(len(CASES)) as announce:
        for size, policy in CASES:
            announce(f"{policy}, {size}")
            cells.add_row(*row(load, size, policy))
    console = Console(width=100)
    console.print(cells)
    console.print(machine.describe())


if __name__ == "__main__":
    main()
