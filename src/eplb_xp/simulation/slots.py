"""Tokens of the slots of plans, in steps of their own: replicas sharing equally, or by shares made for the step."""

from typing import NamedTuple

import numpy as np

from eplb_xp.algorithms.sharing.tokens import MOST_TOKENS
from eplb_xp.sharing import prepare_shares, share_tokens
from eplb_xp.simulation.arrays import Numbers
from eplb_xp.types import Plan, Prepared


class Placement(NamedTuple):
    """Plans of rows, and what shares are made with, if they are."""

    phy2log: Numbers  # [rows, slots]; -1 holds nothing
    logcnt: Numbers  # [rows, experts]
    prepared: Prepared[Numbers] | None = None

    def at(self, rows: Numbers) -> "Placement":
        """Those of some rows."""
        prepared = None if self.prepared is None else Prepared(*(each[rows] for each in self.prepared))
        return Placement(self.phy2log[rows], self.logcnt[rows], prepared)


def placed(phy2log: Numbers, logcnt: Numbers, num_gpus: int, *, best_shares: bool) -> Placement:
    """Plans ready for steps."""
    prepared = None
    if best_shares:
        # Of the last array only the shape is read: [rows, experts].
        prepared = prepare_shares(Plan(phy2log, phy2log, logcnt), num_gpus)
    return Placement(phy2log, logcnt, prepared)


def in_order(layers: int, experts: int, num_gpus: int) -> Placement:
    """Experts in order, one replica each, as evenly many a GPU as can be: the first GPUs have one more.

    That is what serving engines do without EPLB.
    """
    each, more = divmod(experts, num_gpus)
    slots = np.full((num_gpus, each + (more > 0)), -1)
    first = 0
    for gpu in range(num_gpus):
        number = each + (gpu < more)
        slots[gpu, :number] = range(first, first + number)
        first += number
    return Placement(np.tile(slots.reshape(-1), (layers, 1)), np.ones((layers, experts), np.int64))


def slot_tokens(where: Placement, load: Numbers, num_gpus: int) -> Numbers:
    """Tokens of the slots, given those of the experts: [rows, experts] -> [rows, slots], float64."""
    if where.prepared is None:
        share = load / where.logcnt
        tokens = np.take_along_axis(share, np.maximum(where.phy2log, 0), axis=1)
        return np.where(where.phy2log < 0, 0.0, tokens)
    plan = Plan(where.phy2log, where.phy2log, where.logcnt)
    units = _whole(load)
    found = share_tokens(plan, units, num_gpus, prepared=where.prepared).share.astype(np.float64)
    # Loads that are not whole are shared in units of their own.
    total = np.zeros(load.shape)
    np.add.at(total, (np.arange(len(load))[:, None], where.phy2log), found)
    token = np.divide(load, total, out=np.zeros(load.shape), where=total > 0)
    return found * np.take_along_axis(token, where.phy2log, axis=1)


def gpu_loads(tokens: Numbers, num_gpus: int) -> Numbers:
    """Tokens of the GPUs, given those of their slots: [..., slots] -> [..., gpus]."""
    loads: Numbers = tokens.reshape(*tokens.shape[:-1], num_gpus, -1).sum(axis=-1)
    return loads


def balancedness(gpu_load: Numbers) -> Numbers:
    """Mean GPU load / that of the busiest; 1 where there is none: [..., gpus] -> [...]."""
    busiest = gpu_load.max(axis=-1)
    idle = busiest == 0
    return np.where(idle, 1.0, gpu_load.mean(axis=-1) / np.where(idle, 1.0, busiest))


def as_units(load: Numbers) -> Numbers:
    """Loads in units of the busiest expert of their row, of which no sum can overflow: only ratios are shown."""
    busiest = load.max(axis=-1, keepdims=True)
    return load / np.where(busiest == 0, 1, busiest)


def _whole(load: Numbers) -> Numbers:
    """Whole tokens as they are, where shares can be made of them."""
    are_whole = load.dtype.kind in "iu" and load.sum(axis=-1, dtype=np.float64).max(initial=0) < MOST_TOKENS
    return load if are_whole else as_units(load)
