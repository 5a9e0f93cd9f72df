"""What it takes on a CPU to find out where tokens go, under jit and from NumPy.

``make bench-shares`` prints the table of docs/speed.md: one layer of deepseek-v3-prefill, shared on a ring, and a rank
with 4,096 tokens of 8 choices; medians.
"""

from collections.abc import Callable
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console

from benchmarks.quality.sizes import Size
from benchmarks.shared import machine
from benchmarks.shared.choices import choices
from benchmarks.shared.timing import finished, seconds
from eplb_xp import probabilities, quotas, rebalance_experts, route, share_tokens
from eplb_xp.cli.output.tables import new_table
from eplb_xp.loads import generate
from tests.support.libraries import NumPyArray

TOKENS, CHOICES, NODES, CALLS = 4096, 8, 4, 25
SIZES = (Size(288, 32), Size(320, 32), Size(384, 128))


def row(load: NumPyArray, size: Size) -> tuple[str, ...]:
    """The cells of a size: under jit, from NumPy."""
    rng = np.random.default_rng(0)
    experts = choices(rng, load, TOKENS, CHOICES)
    counts = rng.multinomial(experts.size, load / load.sum(), size=(1, size.gpus)).astype(np.int32)
    counts[0, 0] = np.bincount(experts.ravel(), minlength=load.shape[-1])
    past: NumPyArray = load[None].astype(np.float32)
    plan = rebalance_experts(past, size.replicas, 1, 1, size.gpus, policy="ring")
    shares = share_tokens(plan, counts.sum(axis=1), size.gpus)
    maps, quota = [x[0] for x in plan[1:]], quotas(shares, plan, counts, num_nodes=NODES, rank=0)[0]
    calls: list[tuple[Callable[..., Any], Any]] = [
        (lambda shares, plan, counts: quotas(shares, plan, counts, num_nodes=NODES, rank=0), (shares, plan, counts)),
        (probabilities, (shares, plan)),
        (route, (experts, maps, quota)),
        (route, (experts, maps)),
        (route, (experts[:16], maps, quota)),
    ]
    return str(size), *(f"{_compiled(*call):.3g}, {_median(*call):.3g}" for call in calls)


def _compiled(function: Callable[..., Any], given: Any) -> float:
    return _median(jax.jit(function), jax.tree.map(jnp.asarray, given))


def _median(function: Callable[..., Any], given: Any) -> float:
    """Milliseconds of a call."""
    finished(lambda: function(*given))
    return 1e3 * median(seconds(lambda: function(*given)) for _ in range(CALLS))


def main() -> None:
    """Print the table."""
    load = generate("deepseek-v3-prefill", steps=1)[0, 0].astype(np.float64)
    routes = [f"route {what}" for what in ("by quota", "in turn", "16 tokens")]
    cells = new_table("replicas / GPUs", "quotas\nof a rank", "probabilities", *routes)
    for size in SIZES:
        cells.add_row(*row(load, size))
    console = Console(width=100)
    console.print(cells)
    console.print(f"Milliseconds under jit, from NumPy. {machine.describe()}")


if __name__ == "__main__":
    main()
