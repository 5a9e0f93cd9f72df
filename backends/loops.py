"""Loops over rows that Python runs: rows that are done leave the batch, and are back in their places in the end."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from eplb_xp.types import Array

Carry = TypeVar("Carry", bound=tuple[Any, ...])


class _Batch(NamedTuple):
    """Rows that are worked on; arrays of one dimension are of all rows."""

    carry: Any
    fixed: tuple[Array, ...]
    place: Array  # [rows, 1] where each was in the beginning

    def at(self, rows: Callable[[Array], Array]) -> "_Batch":
        """Some of the rows, or all in another order."""

        def chosen(x: Array) -> Array:
            return x if len(x.shape) == 1 else rows(x)

        return _Batch(type(self.carry)(*map(chosen, self.carry)), tuple(map(chosen, self.fixed)), rows(self.place))


def while_rows(
    lib: Any,
    is_open: Callable[[Carry], Array],
    body: Callable[[Carry, tuple[Array, ...]], Carry],
    carry: Carry,
    fixed: tuple[Array, ...],
) -> Carry:
    """Repeat ``body`` while a row is open: `Standard.while_rows`. Rows leave once half of them are done."""
    batch = _Batch(carry, fixed, lib.arange(carry[0].shape[0], carry[0])[:, None])
    done: list[_Batch] = []
    stays = is_open(carry)
    while number := int(lib.xp.sum(lib.xp.astype(stays, lib.index_dtype))):
        if 2 * number <= stays.shape[0]:
            batch, closed = _parted(lib, batch, stays, number)
            done.append(closed)
        batch = batch._replace(carry=body(batch.carry, batch.fixed))
        stays = is_open(batch.carry)
    return _together(lib, [batch, *done])


def _parted(lib: Any, batch: _Batch, stays: Array, number: int) -> tuple[_Batch, _Batch]:
    """The rows that stay, which are so many, and those that leave."""
    order = lib.xp.argsort(lib.xp.astype(~stays[:, 0], lib.xp.int32), stable=True)
    batch = batch.at(lambda x: lib.xp.take(x, order, axis=0))
    return batch.at(lambda x: x[:number, ...]), batch.at(lambda x: x[number:, ...])


def _together(lib: Any, batches: list[_Batch]) -> Any:
    """The carry with all rows in their places."""
    if len(batches) == 1:
        return batches[0].carry
    order = lib.xp.argsort(lib.xp.concat([batch.place for batch in batches])[:, 0])

    def whole(*parts: Array) -> Array:
        return parts[0] if len(parts[0].shape) == 1 else lib.xp.take(lib.xp.concat(parts), order, axis=0)

    return type(batches[0].carry)(*map(whole, *(batch.carry for batch in batches)))
