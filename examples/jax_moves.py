"""Expert weights on their way to a new plan, one layer at a time and in place, on several JAX devices.

``python examples/jax_moves.py`` holds experts as a plan says, on the machine's GPUs if there are enough of them, else
on CPU devices that it makes of the processor; plans for other loads, moves what has to move, looks into the compiled
program for what travels, and compares every slot's weights with those of its expert.
"""

import argparse
import re
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import eplb_xp

LAYERS, EXPERTS, DIM, HIDDEN = 6, 64, 64, 32
BY_SLOTS, ALL = PartitionSpec(None, "gpu"), PartitionSpec()  # an array cut over the devices, and one that all have

Weights = dict[str, jax.Array]  # [layers, slots, ...] of any dtypes


class Routes(NamedTuple):
    """Where weights go: a few rows of each layer and device, as many as that needs which sends or receives most."""

    leaving: np.ndarray  # [layers, gpus, sent] int32 the device's slot of each row that it sends
    arriving: np.ndarray  # [layers, gpus, received] int32 and of each that it gets; beyond its slots if it gets none
    origin: np.ndarray  # [layers, gpus, received] int32 where that row is among those sent, all devices' in a row


def routes(source: np.ndarray, gpus: int) -> Routes:
    """The routes of all layers, given `Moves.source` [layers, slots].

    Numbers of rows are powers of two, so that few programs are compiled. Slots of -1, which nobody can send, are left
    alone: load them after `move`.
    """
    layers, size = len(source), source.shape[1] // gpus
    layer, slot = np.nonzero((source >= 0) & (source != np.arange(source.shape[1])))
    origin = source[layer, slot]
    sender, receiver = (layer * gpus + x // size for x in (origin, slot))  # devices of all layers in a row
    out, into = place(sender), place(receiver)
    sent, received = (1 << int(x.max(initial=0)).bit_length() for x in (out, into))
    leaving = np.zeros((layers * gpus, sent), np.int32)
    leaving[sender, out] = origin % size
    arriving, row = np.full((2, layers * gpus, received), [[[size]], [[0]]], np.int32)
    arriving[receiver, into], row[receiver, into] = slot % size, sender % gpus * sent + out
    return Routes(*(x.reshape(layers, gpus, -1) for x in (leaving, arriving, row)))


def place(device: np.ndarray) -> np.ndarray:
    """The place of each moved slot among those of its device."""
    order = np.argsort(device, kind="stable")
    found = np.empty_like(order)
    found[order] = np.arange(len(order)) - np.searchsorted(device[order], device[order])
    return found


def move(weights: Weights, layer: jax.Array, ways: Routes) -> Weights:
    """The same weights, those of one layer in their new slots; what a device does, inside of `jax.shard_map`.

    Who sends to whom changes from plan to plan, and the program doesn't. So each row is cut into as many parts as there
    are devices, one for each of them, and these pass them on: two exchanges in which all send equally much to all.
    """
    leaving, arriving, origin = (lax.dynamic_index_in_dim(x, layer, keepdims=False) for x in ways)
    me, gpus = lax.axis_index("gpu"), len(leaving)

    def moved(held: jax.Array) -> jax.Array:
        rows = bits(held[layer, leaving[me]])
        flat = rows.reshape(len(rows), -1)
        parts = jnp.pad(flat, ((0, 0), (0, -flat.shape[1] % gpus))).reshape(len(rows), gpus, -1)
        passed = lax.all_to_all(parts, "gpu", 1, 0).reshape(gpus * len(rows), -1)  # a part of all devices' rows
        whole = lax.all_to_all(passed[origin], "gpu", 0, 1).reshape(origin.shape[1], -1)[:, : flat.shape[1]]
        return held.at[layer, arriving[me]].set(whole.reshape(-1, *rows.shape[1:]).view(held.dtype), mode="drop")

    return jax.tree.map(moved, weights)


def bits(x: jax.Array) -> jax.Array:
    """Floats as integers, since XLA has CPUs send short floats as longer ones."""
    return x.view(f"uint{jnp.finfo(x.dtype).bits}") if jnp.issubdtype(x.dtype, jnp.floating) else x


def collectives(program: str) -> dict[str, int]:
    """Bytes that a device has from each kind of collective of a compiled program, as its text says."""
    kinds = r"= (.*?) ((?:ragged-)?all-to-all|all-gather|all-reduce|collective-[a-z]+|reduce-scatter)(?:-done)?\("
    found: dict[str, int] = {}
    for shapes, kind in re.findall(kinds, program):
        for width, shape in re.findall(r"[a-z](\d+)\w*\[([\d,]*)\]", shapes):
            size = prod(int(n) for n in shape.split(",") if n)
            found[kind] = found.get(kind, 0) + int(width) // 8 * size
    return found


def main() -> None:
    """Read the arguments, plan twice, move, look and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", type=int, default=4, help="GPUs, or CPU devices to make (default: 4)")
    parser.add_argument("--replicas", type=int, default=80, help=f"slots for {EXPERTS} experts (default: 80)")
    parser.add_argument("--seed", type=int, default=0, help="of loads and weights (default: 0)")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    before = rng.lognormal(0, 1, (LAYERS, EXPERTS))
    now = before * rng.lognormal(0, 0.3, before.shape)
    try:  # sizes that don't fit are refused here, in one line
        used = eplb_xp.rebalance_experts(before, args.replicas, 1, 1, args.gpus)
    except ValueError as error:
        parser.error(str(error))
    plan = eplb_xp.rebalance_experts(now, args.replicas, 1, 1, args.gpus, previous=used, max_moves=args.replicas // 10)
    todo = eplb_xp.moves(used, plan, args.gpus)
    ways = routes(todo.source, args.gpus)

    jax.config.update("jax_num_cpu_devices", args.gpus)
    devices = jax.devices() if len(jax.devices()) >= args.gpus else jax.devices("cpu")
    mesh = jax.make_mesh((args.gpus,), ("gpu",), axis_types=(AxisType.Auto,), devices=devices[: args.gpus])
    experts = {  # of all layers; stands for a checkpoint
        "up": rng.standard_normal((LAYERS, EXPERTS, DIM, HIDDEN)).astype(jnp.bfloat16),
        "down": rng.standard_normal((LAYERS, EXPERTS, HIDDEN, DIM)).astype(np.float32),
    }
    every = np.arange(LAYERS)[:, None]
    by_slots = NamedSharding(mesh, BY_SLOTS)
    held = {name: jax.device_put(x[every, used.phy2log], by_slots) for name, x in experts.items()}
    mover = jax.jit(jax.shard_map(move, mesh=mesh, in_specs=(BY_SLOTS, ALL, ALL), out_specs=BY_SLOTS), donate_argnums=0)
    program = mover.lower(held, 0, ways).compile()
    for layer in np.flatnonzero((todo.source != np.arange(args.replicas)).any(axis=1)):
        held = mover(held, layer, ways)  # in place: beside the weights there are only rows

    for name, x in experts.items():
        if not np.array_equal(held[name], x[every, plan.phy2log]):
            parser.exit(1, f"{name} isn't what it should be\n")
    size = sum(x[0, 0].nbytes for x in experts.values())
    print(f"{todo.bytes(size).total} bytes of {size * plan.phy2log.size} moved")
    print("rows that a device sends and receives:", *(x.shape[2] for x in ways[:2]))
    print("collectives of the program, bytes of a device:", collectives(program.as_text() or ""))
    print("the weights of a layer, bytes of a device:", size * args.replicas // args.gpus)
    print("All slots hold their experts.")


if __name__ == "__main__":
    main()
