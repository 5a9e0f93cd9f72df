"""An MoE layer on several JAX devices, before and after a plan.

``python examples/jax_moe.py`` makes CPU devices of this machine's processor, lets each of them make the plan from the
summed loads, moves expert weights and tokens as the plan says, and compares the output with a layer without replicas.
"""

import argparse
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

import eplb_xp

EXPERTS, CHOICES, TOKENS, DIM = 16, 2, 256, 32  # each token goes to two experts; tokens are for each device
EACH, ALL = PartitionSpec("gpu"), PartitionSpec()  # an array cut over the devices, and one that all of them have


def plan_on_each_device(chosen: jax.Array, replicas: int, gpus: int) -> tuple[jax.Array, eplb_xp.Plan[jax.Array]]:
    """The summed loads [layers, experts] and the plan; ``chosen`` [tokens, choices] are this device's."""
    load = lax.psum(jnp.bincount(chosen.ravel(), length=EXPERTS), "gpu")[None]  # one layer; a model has many
    return load, eplb_xp.rebalance_experts(load, replicas, num_groups=1, num_nodes=1, num_gpus=gpus)


def route(chosen: jax.Array, plan: eplb_xp.Plan[jax.Array]) -> jax.Array:
    """The slot for each choice of each token: the replicas of an expert take turns."""
    turn = jnp.arange(chosen.size).reshape(chosen.shape) // CHOICES
    return plan.log2phy[0, chosen, turn % plan.logcnt[0, chosen]]


def moe(
    tokens: jax.Array, chosen: jax.Array, gate: jax.Array, held: jax.Array, plan: eplb_xp.Plan[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """The output for this device's tokens, and how many tokens it computed; ``held`` are its own slots' weights.

    To stay short, every device gets all tokens and computes those that are for its slots; an engine would send each
    token only to where it goes.
    """
    everyone = partial(lax.all_gather, axis_name="gpu", tiled=True)
    tokens, slot, gate = everyone(tokens), everyone(route(chosen, plan)), everyone(gate)
    own = lax.axis_index("gpu") * len(held) + jnp.arange(len(held))
    here = slot == own[:, None, None]  # [slots, tokens, choices]
    hidden = jax.nn.gelu(jnp.einsum("td,sde->ste", tokens, held))
    out = jnp.einsum("ste,st->te", hidden, jnp.where(here, gate, 0).sum(axis=-1))
    return lax.psum_scatter(out, "gpu", tiled=True), here.sum()[None]


def moe_without_replicas(tokens: jax.Array, chosen: jax.Array, gate: jax.Array, weights: jax.Array) -> jax.Array:
    """What the output must be."""
    return jnp.einsum("tkd,tk->td", jax.nn.gelu(jnp.einsum("td,tkde->tke", tokens, weights[chosen])), gate)


def main() -> None:
    """Read the arguments, plan, apply the plan, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=int, default=4, help="CPU devices to make (default: 4)")
    parser.add_argument("--replicas", type=int, default=20, help=f"slots for {EXPERTS} experts (default: 20)")
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
    number = TOKENS * args.gpus
    popularity = 1.5 * jax.random.normal(keys[0], (EXPERTS,))
    gate, chosen = lax.top_k(popularity + jax.random.gumbel(keys[1], (number, EXPERTS)), CHOICES)
    tokens = jax.random.normal(keys[2], (number, DIM))
    weights = jax.random.normal(keys[3], (EXPERTS, DIM, DIM)) / DIM**0.5
    gate = jax.nn.softmax(gate)

    # JAX itself proves that the plan is the same on all devices: out_specs says so, and it checks.
    planner = partial(plan_on_each_device, replicas=args.replicas, gpus=args.gpus)
    load, plan = jax.jit(jax.shard_map(planner, mesh=mesh, in_specs=EACH, out_specs=ALL))(chosen)

    # Slot s holds the weights of expert phy2log[s], and lies on device s // (slots of a device).
    held = jax.jit(lambda w, phy2log: w[phy2log], out_shardings=NamedSharding(mesh, EACH))(weights, plan.phy2log[0])
    layer = jax.jit(jax.shard_map(moe, mesh=mesh, in_specs=(EACH, EACH, EACH, EACH, ALL), out_specs=EACH))
    output, tokens_of_gpu = layer(tokens, chosen, gate, held, plan)

    expected = moe_without_replicas(tokens, chosen, gate, weights)
    if not jnp.allclose(output, expected, atol=1e-5):
        parser.exit(1, f"the output differs by up to {jnp.abs(output - expected).max()}\n")
    before = jnp.zeros(args.gpus, int).at[jnp.arange(EXPERTS) * args.gpus // EXPERTS].add(load[0])
    print("tokens per GPU, experts in order:", *before)
    print("tokens per GPU, with the plan:   ", *tokens_of_gpu)
    print("The output equals that of the layer without replicas.")


if __name__ == "__main__":
    main()
