"""The same layer in JAX: one program over all devices, shares included."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from benchmarks.moe import batches
from benchmarks.moe.outputs import CHECKED, refuse_wrong
from benchmarks.moe.placements import CASES, SHARE, TURN, Case, place
from benchmarks.moe.rows import Row
from benchmarks.moe.systems import System
from eplb_xp import Plan, Prepared, prepare_shares, quotas, route, share_tokens
from eplb_xp.backends.timing.by_jax import seconds
from eplb_xp.simulation.presets import Model

EACH, ALL = PartitionSpec("gpu"), PartitionSpec()  # an array cut over the devices, and one that all of them have
BATCHES = 3  # of a case: each is timed, and nothing but loads differs


class Batch(NamedTuple):
    """What comes, of all devices."""

    x: jax.Array  # [tokens, hidden]
    chosen: jax.Array  # [tokens, choices] int32
    gate: jax.Array  # [tokens, choices]


class Weights(NamedTuple):
    """Of some slots, one after the other."""

    up: jax.Array  # [slots, hidden, 2 x intermediate]: gate and up
    down: jax.Array  # [slots, intermediate, hidden]


class Programs(NamedTuple):
    """Compiled once for all cases whose arrays have the same shapes."""

    mesh: Mesh
    whole: Callable[..., jax.Array]
    slots: Callable[..., jax.Array]  # what finds them, alone


def measured(gpus: int, system: System, seed: int, announce: Callable[[str], None]) -> Iterator[Row]:
    """A row for each batch: the tokens of each slot, what the step took, and what finding slots took."""
    mesh = jax.make_mesh((gpus,), ("gpu",), axis_types=(AxisType.Auto,), devices=jax.devices()[:gpus])
    programs = Programs(
        mesh,
        _program(partial(step, gpus=gpus), mesh, (EACH, EACH, ALL, ALL)),
        _program(partial(slots_of, gpus=gpus), mesh, (EACH, ALL, ALL)),
    )
    dtype = jnp.float32 if jax.default_backend() == "cpu" else jnp.bfloat16
    for layer in system.layers[:1]:
        past = batches.traffic(system, layer, seed).past
        for case in CASES:
            if case.by not in {TURN, SHARE}:
                continue
            announce(f"JAX: {system.name} {system.phase}, layer {layer}: {case.name}")
            plan = jax.tree.map(jnp.asarray, place(case, system, past, gpus))
            prepared = None if case.by == TURN else prepare_shares(plan, gpus)
            experts = jax.jit(weights_of, static_argnums=(0, 2), out_shardings=NamedSharding(mesh, EACH))
            held = experts(system.model, plan.phy2log[0], dtype)
            for tokens in system.tokens[-1:]:
                yield from _timed(programs, system, case, (plan, prepared, held), layer=layer, tokens=tokens, seed=seed)


def weights_of(model: Model, numbers: jax.Array, dtype: Any) -> Weights:
    """The weights of some experts, the same wherever they are made."""

    def of_one(number: jax.Array) -> Weights:
        left, right = jax.random.split(jax.random.fold_in(jax.random.key(0), number))
        up = jax.random.normal(left, (model.hidden, 2 * model.intermediate), dtype) / model.hidden**0.5
        down = jax.random.normal(right, (model.intermediate, model.hidden), dtype) / model.intermediate**0.5
        return Weights(up.astype(dtype), down.astype(dtype))

    return lax.map(of_one, numbers)


def slots_of(chosen: jax.Array, plan: Plan[jax.Array], prepared: Prepared[jax.Array] | None, *, gpus: int) -> jax.Array:
    """The slots [tokens, choices] of this device's choices."""
    row = [x[0] for x in plan]
    if prepared is None:
        return route(chosen, row)
    own = jnp.bincount(chosen.ravel(), length=plan.logcnt.shape[1])[None]
    counts = lax.all_gather(own, "gpu", axis=1)  # [layers, ranks, experts]
    shares = share_tokens(plan, counts.sum(axis=1), gpus, prepared=prepared)
    return route(chosen, row, quotas(shares, plan, counts, rank=lax.axis_index("gpu"))[0])


def step(
    batch: Batch, held: Weights, plan: Plan[jax.Array], prepared: Prepared[jax.Array] | None, *, gpus: int
) -> jax.Array:
    """What a device does: all tokens come to all, each computes those of its slots."""
    slot = slots_of(batch.chosen, plan, prepared, gpus=gpus)
    x, slot, gate = (lax.all_gather(each, "gpu", tiled=True) for each in (batch.x, slot, batch.gate))
    size, choices = len(held.up), slot.shape[1]
    own = slot.ravel() - lax.axis_index("gpu") * size
    is_mine = (own >= 0) & (own < size)
    key = jnp.where(is_mine, own, size)
    order = jnp.argsort(key, stable=True)
    tokens = jnp.bincount(key, length=size + 1)[:size].astype(jnp.int32)
    left, right = jnp.split(lax.ragged_dot(x[order // choices], held.up, tokens), 2, axis=-1)
    made = lax.ragged_dot(jax.nn.silu(left) * right, held.down, tokens)
    mine = jnp.where(is_mine[:, None], jnp.zeros_like(made).at[order].set(made), 0)
    out = jnp.einsum("tkh,tk->th", mine.reshape(len(x), choices, -1), gate.astype(mine.dtype))
    return lax.psum_scatter(out, "gpu", tiled=True)


def _timed(
    programs: Programs,
    system: System,
    case: Case,
    placed: tuple[Plan[jax.Array], Prepared[jax.Array] | None, Weights],
    *,
    layer: int,
    tokens: int,
    seed: int,
) -> Iterator[Row]:
    plan, prepared, held = placed
    mesh = programs.mesh
    for number in range(min(BATCHES, system.batches)):
        given = _batch(mesh, system, layer, tokens=tokens, number=number, seed=seed, dtype=held.up.dtype)
        if number == 0:
            _check(system, case, given, programs.whole(given, held, plan, prepared))
        slot = programs.slots(given.chosen, plan, prepared)
        yield {
            "system": system.name,
            "phase": system.phase,
            "layer": layer,
            "case": case.name,
            "tokens": tokens,
            "batch": number,
            "gpus": mesh.size,
            "slots": np.bincount(np.asarray(slot).ravel(), minlength=plan.phy2log.shape[1]).tolist(),
            "layer_s": [seconds(lambda: programs.whole(given, held, plan, prepared))],  # noqa: B023
            "slots_s": [seconds(lambda: programs.slots(given.chosen, plan, prepared))],  # noqa: B023
        }


def _program(function: Callable[..., Any], mesh: Mesh, specs: tuple[PartitionSpec, ...]) -> Callable[..., Any]:
    # Kernels say nothing of what is the same on all devices.
    return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=EACH, check_vma=False))


def _batch(mesh: Mesh, system: System, layer: int, *, tokens: int, number: int, seed: int, dtype: Any) -> Batch:
    each = partial(batches.chosen, system, layer, tokens=tokens, number=number, seed=seed)
    chosen = np.concatenate([each(rank=rank) for rank in range(mesh.size)])
    cut = NamedSharding(mesh, EACH)
    drawn = jax.jit(_drawn, static_argnums=(1, 2, 3), out_shardings=cut)
    x, gate = drawn(jax.random.key(seed + number), chosen.shape, system.model.hidden, dtype)
    return Batch(x, jax.device_put(chosen, cut), gate)


def _drawn(key: jax.Array, shape: tuple[int, ...], hidden: int, dtype: Any) -> tuple[jax.Array, jax.Array]:
    """Tokens and gates of choices."""
    of_x, of_gate = jax.random.split(key)
    gate = jax.random.uniform(of_gate, shape)
    return jax.random.normal(of_x, (shape[0], hidden), dtype), gate / gate.sum(axis=-1, keepdims=True)


def _check(system: System, case: Case, given: Batch, output: jax.Array) -> None:
    """Compare the first tokens with a layer without replicas."""
    x, chosen, gate = (each[:CHECKED] for each in given)

    def add(out: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        its = weights_of(system.model, number[None], x.dtype)
        left, right = jnp.split(x @ its.up[0], 2, axis=-1)
        made = ((jax.nn.silu(left) * right) @ its.down[0]).astype(jnp.float32)
        return out + made * jnp.where(chosen == number, gate, 0).sum(axis=-1, keepdims=True), None

    numbers = jnp.unique(chosen)
    expected, _ = jax.jit(lambda: lax.scan(add, jnp.zeros(x.shape, jnp.float32), numbers))()
    error = float(jnp.abs(output[:CHECKED] - expected).max() / jnp.abs(expected).max())
    refuse_wrong(f"{system.name}, {case.name}, JAX", error, str(x.dtype))
