"""A library of the Array API standard: every seam between the algorithms and a library, in the standard's own terms.

Subclasses replace what their library does differently or better. README.md lists the seams.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from array_api_compat import device

from eplb_xp.backends.loops import Carry, while_rows
from eplb_xp.backends.takeover import Refusal, Step, take_over
from eplb_xp.types import Array


class Standard:
    """An eager library whose loops Python runs.

    Parameters
    ----------
    xp : module
        The array namespace, as array_api_compat gives it.
    """

    # How many slots are best worked on at once, where that is a choice: the caches of a CPU hold no more.
    slots_at_once = 2**17

    def __init__(self, xp: Any) -> None:
        self._xp = xp

    @property
    def xp(self) -> Any:
        """The namespace."""
        return self._xp

    @property
    def keeps_rows(self) -> bool:
        """Whether all rows of a loop are worked on until the last is done, as where a compiler wants fixed shapes."""
        return False

    # Loops: the contract of jax.lax, the shapes and dtypes of a carry staying what they are. A while_loop
    # carries a NamedTuple of arrays and NamedTuples, a fori_loop one array or a tuple of such.

    def while_loop(self, cond: Callable[[Carry], Array], body: Callable[[Carry], Carry], carry: Carry) -> Carry:
        """Repeat ``body`` while ``cond`` holds: one read of the condition a round, and one more."""
        while bool(cond(carry)):
            carry = body(carry)
        return carry

    def while_rows(
        self,
        is_open: Callable[[Carry], Array],
        body: Callable[[Carry, tuple[Array, ...]], Carry],
        carry: Carry,
        fixed: tuple[Array, ...] = (),
    ) -> Carry:
        """Repeat ``body`` while a row of the carry is open [rows, 1]; rows that aren't stay what they are.

        The carry is a named tuple. It and what is fixed have rows; an array of one dimension is of them all. Rows are
        worked on by themselves, so those that are done leave the batch, unless all are kept.
        """
        if self.keeps_rows:
            return self.while_loop(lambda now: self.xp.any(is_open(now)), lambda now: body(now, fixed), carry)
        return while_rows(self, is_open, body, carry, fixed)

    def fori_loop(
        self, lower: int, upper: int, body: Callable[[int, Any], Any], carry: Any, *, unrolls: bool = True
    ) -> Any:
        """Repeat ``body`` for each integer from ``lower`` up to, not including, ``upper``.

        A compiler may make one step of few rounds; or not, where what comes after would be computed anew with it.
        """
        for i in range(lower, upper):
            carry = body(i, carry)
        return carry

    # The door: what an array passes on its way in, and what the standard lacks.

    @property
    def index_dtype(self) -> Any:
        """The dtype of indices and counts."""
        return self.xp.__array_namespace_info__().default_dtypes()["indexing"]

    def is_real(self, x: Array) -> bool:
        """Whether the values are integers or real floats."""
        return bool(self.xp.isdtype(x.dtype, ("integral", "real floating")))

    def is_integer(self, x: Array) -> bool:
        """Whether the values are integers."""
        return bool(self.xp.isdtype(x.dtype, "integral"))

    def largest_integer(self, x: Array) -> int:
        """The largest that an array of integers could hold, or more."""
        return int(self.xp.iinfo(x.dtype).max)

    def is_readable(self, x: Array) -> bool:
        """Whether the values lie in host memory, where reading them costs nothing."""
        return "cpu" in str(device(x)).lower()

    def to_numpy(self, x: Array) -> np.ndarray[Any, Any]:
        """The values in host memory, of a dtype that NumPy has itself."""
        return np.from_dlpack(x, device="cpu")

    def float32(self, x: Array) -> Array:
        """The values as float32, cut off from any gradient."""
        return self.xp.astype(x, self.xp.float32)

    def arange(self, number: int, like: Array) -> Array:
        """The integers from 0 up to ``number``, on the device of ``like``: [number]."""
        return self.xp.arange(number, dtype=self.index_dtype, device=device(like))

    def arange_like(self, x: Array) -> Array:
        """For each entry its position along the last axis."""
        return self.xp.broadcast_to(self.arange(x.shape[-1], x), x.shape)

    def for_each_row(self, number: Array, like: Array) -> Array:
        """An index of no dimensions as one for each row of ``like``: [rows, 1]."""
        return self.xp.zeros_like(like[:, :1], dtype=self.index_dtype) + self.xp.astype(number, self.index_dtype)

    def constant(self, table: Sequence[int], like: Array) -> Array:
        """A table of integers on the device of ``like``: [len(table)]."""
        return self.xp.asarray(table, dtype=self.index_dtype, device=device(like))

    def divide(self, w: Array, n: Array) -> Array:
        """The correctly rounded w / n; both float32 of one shape, n integer-valued, 1 to 4096.

        ``w`` is zero or in [2^-80, 2): a load as ``scaled`` leaves it or what an idle expert counts as.
        """
        return w / n

    def reciprocal_of_binade(self, x: Array) -> Array:
        """1 / the largest power of two that is at most each entry, exactly; float32 from 2^-125 up to below 2^126."""
        xp = self.xp
        small = x < 1.0
        result = xp.where(small, 2.0**126 * xp.ones_like(x), 1.0)
        x = x * result
        for exponent in (64, 32, 16, 8, 4, 2, 1):
            down = xp.where(x >= 2.0**exponent, 2.0**-exponent * xp.ones_like(x), 1.0)
            x, result = x * down, result * down
        return result

    def argmin(self, x: Array) -> Array:
        """Where the smallest entry of each row is, the first of equal ones: [rows, 1]."""
        return self.xp.argmin(x, axis=-1, keepdims=True)

    def running_minimum(self, x: Array) -> Array:
        """The minimum of each entry and all before it along the last axis."""
        xp = self.xp
        step = 1
        while step < x.shape[-1]:
            x = xp.concat([x[..., :step], xp.minimum(x[..., step:], x[..., :-step])], axis=-1)
            step *= 2
        return x

    def running_sum(self, x: Array) -> Array:
        """The sum of each entry of a row and all before it, added up from the first on."""
        total = [x[:, :1]]
        for i in range(1, x.shape[-1]):
            total.append(total[-1] + x[:, i : i + 1])
        return self.xp.concat(total, axis=-1)

    def take(self, x: Array, indices: Array, *, axis: int) -> Array:
        """The entries at ``indices`` [indices] along an axis."""
        return self.xp.take(x, indices, axis=axis)

    def take_along_axis(self, x: Array, indices: Array) -> Array:
        """The entries of each row at ``indices``: [rows, items], [rows, indices]."""
        return self.xp.take_along_axis(x, indices, axis=-1)

    def put_along_axis(self, x: Array, indices: Array, values: Array) -> Array:
        """A copy of ``x`` with ``values`` at ``indices`` of each row; where an index occurs twice, either."""
        xp = self.xp
        place = self.arange_like(x)
        for i in range(indices.shape[-1]):
            x = xp.where(place == indices[:, i : i + 1], values[:, i : i + 1], x)
        return x

    def sort_rows(self, key: Array, tag: Array, *, descending: bool = False) -> tuple[Array, Array]:
        """Each row sorted by key, among equals by tag, ascending: the keys, and the tags, which differ.

        Keys are float32, not negative; tags are indices.
        """
        xp = self.xp
        by_tag = xp.argsort(tag, axis=-1)
        key, tag = xp.take_along_axis(key, by_tag, axis=-1), xp.take_along_axis(tag, by_tag, axis=-1)
        by_key = xp.argsort(-key if descending else key, axis=-1, stable=True)
        return xp.take_along_axis(key, by_key, axis=-1), xp.take_along_axis(tag, by_key, axis=-1)

    # Steps: a kernel may take one over; else the once-written code runs.

    def run(self, step: Step, *arrays: Array, **sizes: Any) -> Any:
        """A step of ``eplb_xp.algorithms`` for these arrays; the sizes are hashable."""
        result = take_over(self, step, arrays, sizes)
        return self.call(step, *arrays, **sizes) if isinstance(result, Refusal) else result

    def call(self, step: Step, *arrays: Array, **sizes: Any) -> Any:
        """The once-written step."""
        return step(self, *arrays, **sizes)
