"""What later generations need of earlier ones: which counts have been improved, and whose offspring comes next."""

from typing import NamedTuple

from eplb_xp.algorithms.counts.candidates import fingerprints
from eplb_xp.algorithms.counts.offspring import Parents
from eplb_xp.algorithms.counts.spares import Spares
from eplb_xp.algorithms.trying.shape import Shape
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Family(NamedTuple):
    """Of each row."""

    seen: Array  # [rows, fingerprints] of all counts that have been improved, -1 for those to come
    parents: Parents


def founded(lib: Standard, spares: Spares, shape: Shape) -> Family:
    """Before the first generation D'Hondt's counts are the only parent.

    They are new as a candidate only where what is placed with them is not improved by itself.
    """
    xp = lib.xp
    mark = fingerprints(lib, spares.count)
    mark = xp.full_like(mark, -1) if shape.alike else mark
    if shape.generations == 1:
        return Family(mark, Parents(spares.expert[:, None, :0], spares.count[:, None, :0], xp.ones_like(mark)))
    to_come = xp.full_like(xp.concat([mark] * (shape.generations * shape.refined), axis=-1), -1)
    spare, count = (xp.concat([x[:, None, :]] * shape.parents, axis=1) for x in (spares.expert, spares.count))
    return Family(xp.concat([mark, to_come], axis=-1), Parents(spare, count, xp.ones_like(mark)))


def grown(lib: Standard, family: Family, born: Family, generation: Array, changed: Array) -> Family:
    """With those born in a generation [rows, 1], in the rows that have changed [rows, 1].

    Parents stay where a generation has none.
    """
    xp = lib.xp
    rows, number = born.seen.shape
    generations = (family.seen.shape[1] - 1) // number
    tried = xp.reshape(family.seen[:, 1:], (rows, generations, number))
    now = (lib.arange(generations, generation)[None, :] == generation - 1) & changed
    tried = xp.where(now[:, :, None], born.seen[:, None, :], tried)
    seen = xp.concat([family.seen[:, :1], xp.reshape(tried, (rows, generations * number))], axis=-1)
    has = changed & (born.parents.number > 0)
    spare, count = (xp.where(has[:, :, None], x, y) for x, y in zip(born.parents[:2], family.parents[:2], strict=True))
    return Family(seen, Parents(spare, count, xp.where(has, born.parents.number, family.parents.number)))
