"""An MoE layer on several JAX devices, before and after a plan, and with shares of each batch.

``python examples/jax_moe.py`` makes CPU devices of this machine's processor, lets each of them make the plan from the
summed loads of a past batch, moves expert weights as the plan says, sends the tokens of the next batch to replicas so
that the busiest device has as few as can be, and compares the output with a layer without replicas.
"""

import argparse
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

import eplb_xp

EXPERTS, CHOICES, TOKENS, DIM = 16, 2, 256, 32  # each token goes to two experts; tokens are for each device
EACH, ALL = PartitionSpec("gpu"), PartitionSpec()  # an array cut over the devices, and one that all of them have

Plan = eplb_xp.Plan[jax.Array]
Prepared = eplb_xp.Prepared[jax.Array]


class Batch(NamedTuple):
    """Tokens, and where they go."""

    tokens: jax.Array  # [tokens, dim]
    gate: jax.Array  # [tokens, choices]
    chosen: jax.Array  # [tokens, choices] experts


def counted(chosen: jax.Array) -> jax.Array:
    """The tokens of this device for each expert [layers, experts]: here one layer; a model has many."""
    return jnp.bincount(chosen.ravel(), length=EXPERTS)[None]


def plan_on_each_device(chosen: jax.Array, replicas: int, gpus: int) -> tuple[Plan, Prepared]:
    """A plan for the summed loads, and what shares need to know of it."""
    load = lax.psum(counted(chosen), "gpu")
    plan = eplb_xp.rebalance_experts(load, replicas, num_groups=1, num_nodes=1, num_gpus=gpus, policy="ring")
    return plan, eplb_xp.prepare_shares(plan, gpus)


def route(chosen: jax.Array, plan: Plan, prepared: Prepared) -> tuple[jax.Array, jax.Array]:
    """The slot for each choice of each token, and how many tokens the busiest GPU has at least."""
    own = counted(chosen)
    counts = lax.all_gather(own, "gpu", axis=1)  # [layers, ranks, experts]
    shares = eplb_xp.share_tokens(plan, lax.psum(own, "gpu"), counts.shape[1], prepared=prepared)
    quota = eplb_xp.quotas(shares, plan, counts, rank=lax.axis_index("gpu"))
    return eplb_xp.route(chosen, [x[0] for x in plan], quota[0]), shares.lower_bound[0]


def moe(batch: Batch, held: jax.Array, plan: Plan, prepared: Prepared) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The output for this device's tokens, how many it computed, and a bound; ``held`` are its own slots' weights.

    To stay short, every device gets all tokens and computes those that are for its slots; an engine would send each
    token only to where it goes.
    """
    slot, bound = route(batch.chosen, plan, prepared)
    tokens, slot, gate = (lax.all_gather(x, "gpu", tiled=True) for x in (batch.tokens, slot, batch.gate))
    own = lax.axis_index("gpu") * len(held) + jnp.arange(len(held))
    here = slot == own[:, None, None]  # [slots, tokens, choices]
    hidden = jax.nn.gelu(jnp.einsum("td,sde->ste", tokens, held))
    out = jnp.einsum("ste,st->te", hidden, jnp.where(here, gate, 0).sum(axis=-1))
    return lax.psum_scatter(out, "gpu", tiled=True), here.sum()[None], bound


def moe_without_replicas(batch: Batch, weights: jax.Array) -> jax.Array:
    """What the output must be."""
    hidden = jax.nn.gelu(jnp.einsum("td,tkde->tke", batch.tokens, weights[batch.chosen]))
    return jnp.einsum("tkd,tk->td", hidden, batch.gate)


def draw(key: jax.Array, popularity: jax.Array, number: int) -> Batch:
    """Tokens of all devices."""
    keys = jax.random.split(key)
    gate, chosen = lax.top_k(popularity + jax.random.gumbel(keys[0], (number, EXPERTS)), CHOICES)
    return Batch(jax.random.normal(keys[1], (number, DIM)), jax.nn.softmax(gate), chosen)


def main() -> None:
    """Read the arguments, plan, apply the plan, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=int, default=4, help="CPU devices to make (default: 4)")
    parser.add_argument("--replicas", type=int, default=24, help=f"slots for {EXPERTS} experts (default: 24)")
    parser.add_argument("--seed", type=int, default=0, help="of tokens, weights and routing (default: 0)")
    args = parser.parse_args()
    try:  # sizes that don't fit are refused here, in one line
        eplb_xp.rebalance_experts(np.ones((1, EXPERTS)), args.replicas, 1, 1, args.gpus)
    except ValueError as error:
        parser.error(str(error))
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", args.gpus)

    mesh = jax.make_mesh((args.gpus,), ("gpu",), axis_types=(jax.sharding.AxisType.Auto,))
    keys = jax.random.split(jax.random.key(args.seed), 4)
    popularity, change = jax.random.normal(keys[0], (2, EXPERTS))
    past = draw(keys[1], 1.5 * popularity, TOKENS * args.gpus)
    batch = draw(keys[2], 1.5 * popularity + change, TOKENS * args.gpus)
    weights = jax.random.normal(keys[3], (EXPERTS, DIM, DIM)) / DIM**0.5

    # JAX itself proves that the plan is the same on all devices: out_specs says so, and it checks.
    planner = partial(plan_on_each_device, replicas=args.replicas, gpus=args.gpus)
    plan, prepared = jax.jit(jax.shard_map(planner, mesh=mesh, in_specs=EACH, out_specs=ALL))(past.chosen)

    # Slot s holds the weights of expert phy2log[s], and lies on device s // (slots of a device).
    held = jax.jit(lambda w, phy2log: w[phy2log], out_shardings=NamedSharding(mesh, EACH))(weights, plan.phy2log[0])
    layer = jax.shard_map(moe, mesh=mesh, in_specs=(EACH, EACH, ALL, ALL), out_specs=(EACH, EACH, ALL))
    output, tokens_of_gpu, bound = jax.jit(layer)(batch, held, plan, prepared)

    expected = moe_without_replicas(batch, weights)
    if not jnp.allclose(output, expected, atol=1e-5):
        parser.exit(1, f"the output differs by up to {jnp.abs(output - expected).max()}\n")
    in_order = batch.chosen * args.gpus // EXPERTS
    in_turn = eplb_xp.route(batch.chosen, [x[0] for x in plan]) * args.gpus // args.replicas
    print("tokens per GPU, experts in order:  ", *jnp.bincount(in_order.ravel(), length=args.gpus))
    print("with the plan, replicas in turn:   ", *jnp.bincount(in_turn.ravel(), length=args.gpus))
    print("with the plan, replicas by shares: ", *tokens_of_gpu)
    print("the busiest GPU can't have less than", bound)
    print("The output equals that of the layer without replicas.")


if __name__ == "__main__":
    main()
