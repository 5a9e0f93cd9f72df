"""Who plans, with what, and what a plan brings: lines of the logger ``eplb_xp``, and metrics."""

import functools
import logging
import sys
from typing import Any, NamedTuple

import numpy as np

from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.takeover import NATIVE, Refusal, is_switched_on
from eplb_xp.engines import metrics, old_maps
from eplb_xp.engines.settings import Settings
from eplb_xp.evaluation import evaluate
from eplb_xp.moving import moves

_log = logging.getLogger("eplb_xp")


class Made(NamedTuple):
    """A plan that was made."""

    load: "np.ndarray[Any, Any]"  # [layers, experts]
    old: "np.ndarray[Any, Any] | None"  # [layers, replicas] what was in use
    new: "np.ndarray[Any, Any]"  # [layers, replicas]
    is_up: "np.ndarray[Any, Any]"  # [gpus]
    device: str
    seconds: float


class Balance(NamedTuple):
    """How even GPUs are, both 1 at best; layers without tokens are in neither."""

    sums: float  # GPUs' mean loads added up over layers / the busiest ones' added up, as vLLM's balancedness
    layers: float  # the mean over layers of mean load / busiest GPU's load


def announce(engine: str, settings: Settings) -> None:
    """Say at registration who will plan, and with what."""
    _log.info("eplb_xp %s plans for %s: %s, %s", _version(), engine, settings, _form(settings.device))


def tell(engine: str, settings: Settings, made: Made) -> None:
    """A line for the plan, on the first rank at level INFO, on others at DEBUG; on the first also metrics, if asked."""
    is_first = _is_first_rank()
    level = logging.INFO if is_first else logging.DEBUG
    system = settings.metrics if is_first else None
    if system is None and not _log.isEnabledFor(level):
        return
    before, after, moved = judged(made)
    if system is not None:
        metrics.record(engine, before, after, moved, made.seconds)
    _log.log(
        level,
        "eplb_xp %s planned for %s in %.0f ms: %s, %s; balancedness %s -> %s (mean over layers %s -> %s); "
        "%s of %d slots receive another expert",
        *(_version(), engine, 1000 * made.seconds, settings, _form(made.device)),
        *(_figure(x.sums if x else None) for x in (before, after)),
        *(_figure(x.layers if x else None) for x in (before, after)),
        *("all" if moved is None else moved, made.new.size),
    )


def judged(made: Made) -> tuple[Balance | None, Balance | None, int | None]:
    """The balance of what was in use and of the plan, on the same loads, and how many slots receive another expert.

    None for what was in use where it lacks an expert, for both where there are no tokens, and for the slots where
    nothing was in use.
    """
    num_gpus = int(made.is_up.sum())
    slot = np.flatnonzero(np.repeat(made.is_up, made.new.shape[1] // len(made.is_up)))
    after = balance(made.new[:, slot], made.load, num_gpus)
    if made.old is None:
        return None, after, None
    old = made.old[:, slot]
    before = balance(old, made.load, num_gpus) if old_maps.is_complete(old, made.load.shape[1]) else None
    return (
        before,
        after,
        int(moves(np.where(old < made.load.shape[1], old, -1), made.new[:, slot], num_gpus).received.sum()),
    )


def balance(phy2log: "np.ndarray[Any, Any]", load: "np.ndarray[Any, Any]", num_gpus: int) -> Balance | None:
    """How even GPUs are under a placement, replicas sharing equally; None where there are no tokens."""
    found = evaluate((phy2log, phy2log, phy2log), load, num_gpus)
    of_gpus = found.gpu_load.astype(np.float64)
    busiest = of_gpus.max(axis=1)
    has_tokens = busiest > 0
    if not has_tokens.any():
        return None
    sums = of_gpus[has_tokens].mean(axis=1).sum() / busiest.sum()
    return Balance(float(sums), float(found.balancedness[has_tokens].mean(dtype=np.float64)))


def _figure(x: float | None) -> str:
    return "unknown" if x is None else f"{x:.4f}"


def _form(device: str) -> str:
    """Where plans are made, and by what."""
    if device != "cpu":
        return f"on {device}"
    module: Any = from_numpy.extension()
    is_native = is_switched_on(NATIVE) and not isinstance(module, Refusal)
    return "native code" if is_native else "NumPy alone (eplb-xp info says why)"


@functools.cache
def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 # takes long to import

    return version("eplb-xp")


def _is_first_rank() -> bool:
    """Whether the process is rank 0, or has no rank that PyTorch knows."""
    torch: Any = sys.modules.get("torch")
    distributed = getattr(torch, "distributed", None)
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return True
    return bool(distributed.get_rank() == 0)
