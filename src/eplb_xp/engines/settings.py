"""What ``EPLB_XP_POLICY`` and its neighbours in the environment ask for."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eplb_xp.amounts import as_moves
from eplb_xp.following import MOST_FAR_COST
from eplb_xp.policy import POLICIES

POLICY = "EPLB_XP_POLICY"
PLAN_ON = "EPLB_XP_PLAN_ON"
METRICS = "EPLB_XP_METRICS"
DEVICES = ("cpu", "cuda")
SYSTEMS = ("prometheus",)


@dataclass(frozen=True)
class Settings:
    """How to plan, for all engines and all of their models.

    Attributes
    ----------
    policy : str
        A name of `eplb_xp.POLICIES`.
    max_moves : str or None
        How many slots of a layer may receive another expert, or how many per cent of them: ``"8"``, ``"10%"``. None for
        plans that are fresh each time, their GPUs called so that few slots move.
    min_gain : float
        A layer whose busiest GPU would fall by less than this share keeps its plan.
    far_cost : int
        How many moves one from another node counts.
    samples : int
        As how many samples the steps of a window are planned for, where an engine gives steps. Only with a budget that
        is small: other plans for samples take minutes on a CPU.
    device : str
        Where to plan, ``"cpu"`` or ``"cuda"``.
    metrics : str or None
        Which system gets metrics: ``"prometheus"``.
    """

    policy: str = "joint"
    max_moves: str | None = None
    min_gain: float = 0.0
    far_cost: int = 1
    samples: int = 8
    device: str = "cpu"
    metrics: str | None = None

    def budget(self, slots: int) -> int | None:
        """How many of so many slots of a layer may receive another expert."""
        return None if self.max_moves is None else as_moves(self.max_moves, slots)

    def __str__(self) -> str:
        plain = Settings()
        options = {name: getattr(self, name) for name in _READERS if getattr(self, name) != getattr(plain, name)}
        return ",".join([self.policy, *(f"{name}={x}" for name, x in options.items())])


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings | None:
    """What the environment asks for: nothing where ``EPLB_XP_POLICY`` is not set, or empty.

    Raises
    ------
    ValueError
        Where a variable says what there is not; the message names the variable and what would work.
    """
    value = environment.get(POLICY, "").strip()
    if not value:
        return None
    policy, *options = (part.strip() for part in value.split(","))
    if policy not in POLICIES:
        raise ValueError(
            f"{POLICY} must begin with a policy, one of {', '.join(POLICIES)}, as in joint,max_moves=8, got {value!r}"
        )
    given = dict(_option(option, value) for option in options)
    if len(given) < len(options):
        raise ValueError(f"{POLICY} must have every option once, got {value!r}")
    if "max_moves" not in given:
        for name in ("far_cost", "samples"):
            if name in given:
                raise ValueError(f"{POLICY} has {name} only beside max_moves, got {value!r}")
    read: dict[str, Any] = {name: _READERS[name](text) for name, text in given.items()}
    device = _one_of(environment, PLAN_ON, DEVICES) or "cpu"
    return Settings(policy, device=device, metrics=_one_of(environment, METRICS, SYSTEMS), **read)


def asked_for() -> Settings:
    """What the environment asks for, or what is usual: for who plans because it was asked to."""
    return from_environment() or Settings()


def _option(option: str, value: str) -> tuple[str, str]:
    name, equals, text = (part.strip() for part in option.partition("="))
    if name not in _READERS or not equals:
        raise ValueError(
            f"{POLICY} takes NAME=VALUE of {', '.join(_READERS)} after the policy, got {option!r} in {value!r}"
        )
    return name, text


def _one_of(environment: Mapping[str, str], variable: str, known: tuple[str, ...]) -> str | None:
    value = environment.get(variable, "").strip()
    if value and value not in known:
        raise ValueError(f"{variable} must be {' or '.join(known)}, got {value!r}")
    return value or None


def _moves(text: str) -> str:
    try:
        as_moves(text, 1)
    except ValueError as error:
        raise ValueError(f"{POLICY}: {error}") from error
    return text


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise ValueError(f"{POLICY}: min_gain must be a number from 0 to 1, got {text!r}")
    return share


def _integer(name: str, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise ValueError(f"{POLICY}: {name} must be a whole number from 1 to {most}, got {text!r}")
        return int(text)

    return read


_READERS: dict[str, Callable[[str], Any]] = {
    "max_moves": _moves,
    "min_gain": _share,
    "far_cost": _integer("far_cost", MOST_FAR_COST),
    "samples": _integer("samples", 64),
}
