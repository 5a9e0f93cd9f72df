"""JAX: steps are compiled, and their loops are lax's; concrete arrays in host memory are left to NumPy."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export, lax

from eplb_xp.algorithms import pipeline
from eplb_xp.algorithms.routing import quotas, route
from eplb_xp.algorithms.sharing import prepared, shares
from eplb_xp.backends import numpy
from eplb_xp.backends.division import corrected
from eplb_xp.backends.float32 import EXPONENT, TWICE_ONE
from eplb_xp.backends.jax_on_numpy import on_numpy
from eplb_xp.backends.launching import (
    follows_from_jax,
    from_jax,
    quotas_from_jax,
    routes_from_jax,
    shares_from_jax,
)
from eplb_xp.backends.launching.searching import STEPS
from eplb_xp.backends.launching.varying import pvary, varying
from eplb_xp.backends.loops import Carry
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.steps import WITHOUT_KERNELS
from eplb_xp.backends.takeover import Refusal, Step, register
from eplb_xp.types import Array, Frontier, Moves, Plan, Prepared, Report, SharedReport, Shares

# XLA fuses what is not in a loop.
UNROLLED = 16

# Rows up to this long are sorted by counting, for each entry, those before it: XLA on a CPU makes SIMD of that. Longer
# ones are sorted as 64-bit integers, which it does eight times as fast as floats or pairs.
COUNTED = 128

# Rows up to this long get their order by looking at all entries for each place: with its indices a scatter is three
# kernels more to compile, and on longer rows it is quicker.
LOOKED_AT = 24

# Arrays are [rows, entries], and each row has indices of its own.
GATHER = lax.GatherDimensionNumbers((), (1,), (1,), (0,), (0,))
SCATTER = lax.ScatterDimensionNumbers((), (1,), (1,), (0,), (0,))


class Jax(Standard):
    """JAX on any device."""

    def __init__(self) -> None:
        super().__init__(jnp)

    @property
    def slots_at_once(self) -> int:  # type: ignore[override]
        return 2**17 if jax.default_backend() == "cpu" else 2**20

    @property
    def keeps_rows(self) -> bool:
        return True

    def while_loop(self, cond: Callable[[Carry], Array], body: Callable[[Carry], Carry], carry: Carry) -> Carry:
        return lax.while_loop(cond, body, _varying_as_result(body, carry))

    def fori_loop(
        self, lower: int, upper: int, body: Callable[[int, Any], Any], carry: Any, *, unrolls: bool = True
    ) -> Any:
        if not unrolls:
            return lax.fori_loop(lower, upper, body, _varying_as_result(functools.partial(body, lower), carry))
        if upper - lower <= UNROLLED:
            return super().fori_loop(lower, upper, body, carry)
        return lax.fori_loop(lower, upper, body, carry, unroll=UNROLLED)

    def is_real(self, x: Array) -> bool:
        # As keys for random numbers are arrays too, with a dtype that only this function knows.
        return bool(jnp.issubdtype(x.dtype, jnp.integer) or jnp.issubdtype(x.dtype, jnp.floating))

    def is_readable(self, x: Array) -> bool:
        if isinstance(x, jax.core.Tracer):
            return False
        return bool(x.is_fully_addressable) and all(device.platform == "cpu" for device in x.devices())

    def to_numpy(self, x: Array) -> np.ndarray[Any, Any]:
        if isinstance(x, jax.core.Tracer):
            raise TypeError("a traced array has no values yet: call check_loads outside of jax.jit, on concrete loads")
        return numpy.LIBRARY.to_numpy(np.asarray(x))

    def float32(self, x: Array) -> Array:
        return lax.stop_gradient(x.astype(jnp.float32))

    # A tracer has no device: XLA puts what is made here where it is used. What NumPy makes is a constant of a program,
    # as is all that depends on it alone; what XLA computes before a loop instead is compiled one by one.

    def arange(self, number: int, like: Array) -> Array:
        return np.arange(number, dtype=self.index_dtype)

    def constant(self, table: Sequence[int], like: Array) -> Array:
        return jnp.asarray(table, dtype=self.index_dtype)

    def divide(self, w: Array, n: Array) -> Array:
        bits = functools.partial(lax.bitcast_convert_type, new_dtype=jnp.int32)
        floats = functools.partial(lax.bitcast_convert_type, new_dtype=jnp.float32)
        w, n = lax.optimization_barrier((w, n))
        return lax.optimization_barrier(corrected(jnp, w / n, w, n, bits=bits, floats=floats))

    def reciprocal_of_binade(self, x: Array) -> Array:
        bits = lax.bitcast_convert_type(x, jnp.int32)
        return lax.bitcast_convert_type(TWICE_ONE - (bits & EXPONENT), jnp.float32)

    def argmin(self, x: Array) -> Array:
        # Two plain reductions: XLA on a CPU takes six times as long for a value with its index.
        number = self.arange_like(x)
        least = jnp.min(x, axis=-1, keepdims=True)
        return jnp.min(jnp.where(x == least, number, x.shape[-1]), axis=-1, keepdims=True)

    def running_sum(self, x: Array) -> Array:
        # All entries side by side, which XLA makes one step of.
        number = self.arange(x.shape[1], x)[None, :]
        total = jnp.broadcast_to(x[:, :1], x.shape)
        for i in range(1, x.shape[1]):
            total = jnp.where(number >= i, total + x[:, i : i + 1], total)
        return lax.optimization_barrier(total)

    # Every index is in bounds and counts from the front; to look at each would be a third of the program.

    def take(self, x: Array, indices: Array, *, axis: int) -> Array:
        axis %= x.ndim
        others = tuple(dim for dim in range(x.ndim) if dim != axis)
        sizes = tuple(1 if dim == axis else size for dim, size in enumerate(x.shape))
        numbers = lax.GatherDimensionNumbers(others, (axis,), (axis,))
        return lax.gather(x, indices[:, None], numbers, sizes, mode="promise_in_bounds")

    def take_along_axis(self, x: Array, indices: Array) -> Array:
        return lax.gather(x, indices[:, :, None], GATHER, (1, 1), mode="promise_in_bounds")

    def put_along_axis(self, x: Array, indices: Array, values: Array) -> Array:
        return lax.scatter(x, indices[:, :, None], values, SCATTER, mode="promise_in_bounds")

    def sort_rows(self, key: Array, tag: Array, *, descending: bool = False) -> tuple[Array, Array]:
        bits = lax.bitcast_convert_type(key, jnp.int32)
        bits = -bits if descending else bits
        if key.shape[1] <= COUNTED:
            position = self._position(bits, tag)
            if key.shape[1] > LOOKED_AT:
                return self.put_along_axis(key, position, key), self.put_along_axis(tag, position, tag)
            here = position[:, :, None] == self.arange(key.shape[1], key)[None, None, :]
            bits, tag = (
                jnp.sum(jnp.where(here, x[:, :, None], 0), axis=1, dtype=x.dtype)
                for x in (lax.bitcast_convert_type(key, jnp.int32), tag)
            )
            return lax.bitcast_convert_type(bits, jnp.float32), tag
        with jax.enable_x64(True):
            line = (lax.convert_element_type(bits, jnp.int64) << 32) | lax.convert_element_type(tag, jnp.int64)
            line = lax.sort(line, dimension=1)
            bits = lax.convert_element_type(line >> 32, jnp.int32)
            tag = lax.convert_element_type(line & (2**32 - 1), tag.dtype)
        return lax.bitcast_convert_type(-bits if descending else bits, jnp.float32), tag

    def _position(self, bits: Array, tag: Array) -> Array:
        """How many entries of its row come before each entry in order."""
        bits, tag = lax.optimization_barrier((bits, tag))  # else XLA would compute them for each pair
        position = jnp.zeros_like(tag)
        # A longer sum XLA would split up, and keep all pairs in memory for that.
        for first in range(0, bits.shape[1], 32):
            other, its_tag = (x[:, first : first + 32, None] for x in (bits, tag))
            earlier = (other < bits[:, None, :]) | ((other == bits[:, None, :]) & (its_tag < tag[:, None, :]))
            position += jnp.sum(earlier, axis=1, dtype=tag.dtype)
        return position

    def call(self, step: Step, *arrays: Array, **sizes: Any) -> Any:
        return _compiled(step, tuple(sizes))(*arrays, **sizes)


LIBRARY = Jax()


def _taken(step: Step, by_others: Step, lib: Standard, *arrays: jax.Array, **sizes: Any) -> Any:
    """A step by NumPy in host memory, by kernels or native code, or a refusal."""
    found = on_numpy(step, lib, *arrays, **sizes)
    return by_others(lib, *arrays, **sizes) if isinstance(found, Refusal) else found


for step in WITHOUT_KERNELS:
    register(Jax, step, functools.partial(on_numpy, step))
# Some of these have no kernel; inside of programs native code takes them.
TAKEN: dict[Step, Step] = {
    pipeline.plan: from_jax.plan,
    prepared.prepare: shares_from_jax.prepare,
    shares.share: shares_from_jax.share,
    shares.share_of_plan: shares_from_jax.share_of_plan,
    quotas.quotas: quotas_from_jax.quotas,
    quotas.quotas_of_rank: quotas_from_jax.quotas_of_rank,
    route.route_in_turn: routes_from_jax.route_in_turn,
    route.route_by_quota: routes_from_jax.route_by_quota,
    **{step: functools.partial(follows_from_jax.take, step) for step in STEPS},
}
for taken, by_others in TAKEN.items():
    register(Jax, taken, functools.partial(_taken, taken, by_others))

# So that an exported program that returns one can be serialized.
for result in (Plan, Report, SharedReport, Prepared, Shares, Moves, Frontier):
    export.register_namedtuple_serialization(result, serialized_name=f"eplb_xp.{result.__name__}")


@functools.cache
def _compiled(step: Step, static: tuple[str, ...]) -> Step:
    """The step under jit; one object for good, because JAX caches compilations by it."""

    @functools.wraps(step)
    def with_library(*arrays: Array, **sizes: Any) -> Any:
        return _over_layers(functools.partial(step, LIBRARY, **sizes), arrays)(*arrays)

    return jax.jit(with_library, static_argnames=static)


def _over_layers(step: Step, arrays: tuple[Array, ...]) -> Step:
    """The step, its results sharded over layers as its last array is that has a sharding, the loads.

    That is told to JAX only where shardings are part of the types (a mesh with explicit axes): there
    it asks for the sharding of every scatter, which XLA finds by itself once the axes are automatic.
    """
    shardings = [jax.typeof(x).sharding for x in arrays]
    explicit = [sharding for sharding in shardings if sharding.mesh.explicit_axes]
    if not explicit:
        return step
    mesh, spec = explicit[-1].mesh, jax.sharding.PartitionSpec(explicit[-1].spec[0])
    results = jax.sharding.NamedSharding(mesh, spec)
    return jax.sharding.auto_axes(step, axes=mesh.explicit_axes, out_sharding=results)


def _varying_as_result(body: Callable[[Carry], Carry], carry: Carry) -> Carry:
    """The carry, marked as varying over the mesh axes that the body's result varies over.

    Within shard_map JAX wants a loop's carry to go in as it comes out, and one that starts from
    zeros does not vary while its sums with loads do.
    """
    if not jax.sharding.get_abstract_mesh().manual_axes:
        return carry
    while True:
        result = jax.eval_shape(body, carry)
        before, after = jax.tree.leaves(carry), jax.tree.leaves(result)
        missing = [varying(y) - varying(jax.typeof(x)) for x, y in zip(before, after, strict=True)]
        if not any(missing):
            return carry
        marked = [pvary(x, tuple(axes)) if axes else x for x, axes in zip(before, missing, strict=True)]
        carry = jax.tree.unflatten(jax.tree.structure(carry), marked)
