"""Every case in every way, or why not."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from importlib import util
from typing import Any, TypeVar

import numpy as np

from benchmarks.gpu import by_torch
from benchmarks.gpu.cases import Case, Work
from benchmarks.gpu.checking import WrongPlanError, check
from benchmarks.gpu.found import Found, Missing, Times
from benchmarks.gpu.loads import NumPyArray
from benchmarks.gpu.work import refusal, timed
from eplb_xp.cli.errors import one_line

JAX_NEEDS = {"jax": "jax", "jax_triton": "jax-triton"}

T = TypeVar("T")


def refused(cases: Iterable[Work]) -> dict[Work, Missing]:
    """The cases that the kernels leave to the once-written code."""
    found = {case: refusal(case) for case in cases}
    return {case: Missing(f"refused by the kernels: {why.reason}") for case, why in found.items() if why is not None}


def compile_ahead(pairs: Iterable[tuple[Work, str]]) -> list[Future[Any]]:
    """JAX's programs, compiled beside what is done before anything is timed; it takes as long."""
    if _missing_package() is not None:
        return []
    from benchmarks.gpu import by_jax  # noqa: PLC0415  it may be missing

    return [*by_jax.compile_ahead(case for case, way in pairs if way == "jax" and isinstance(case, Case))]


def _missing_package() -> str | None:
    return next((package for module, package in JAX_NEEDS.items() if util.find_spec(module) is None), None)


def failed(cases: Iterable[Work], seed: int, announce: Callable[[str], None]) -> dict[Work, Missing]:
    """The cases that nothing is made of; all that is made is compared with NumPy's, and none of it may differ."""
    found: dict[Work, Missing] = {}
    for case in cases:
        announce(f"checking {case}")
        result = _attempt(check, case, seed, by_torch.made)
        if isinstance(result, Missing):
            found[case] = result
    return found


def measure(
    pairs: Iterable[tuple[Work, str]], missing: dict[Work, Missing], replays: int, announce: Callable[[str], None]
) -> Found:
    """Time every case in its ways, and count what each launches."""
    found = Found({}, {})
    for case, way in pairs:
        announce(f"timing {case}, {way}")
        if case in missing:
            found.times[case, way] = missing[case]
            continue
        sets = timed(case)
        if way == "graph":
            found.times[case, way] = _attempt(by_torch.graph, case, sets, replays)
            found.launches[case] = _attempt(by_torch.launches, case, sets)
        elif way == "eager":
            found.times[case, way] = _attempt(by_torch.eager, case, sets, replays)
        else:
            found.times[case, way] = _attempt(_jax, case, sets, max(replays // 10, 3))
    return found


def _jax(case: Case, sets: NumPyArray, rounds: int) -> Times | Missing:
    package = _missing_package()
    if package is not None:
        return Missing(f"{package} is not installed")
    from benchmarks.gpu import by_jax  # noqa: PLC0415  it may be missing

    measured, slots = by_jax.measure(case, sets, rounds)
    if not np.array_equal(slots, by_torch.phy2log(case, sets)):
        raise WrongPlanError(f"{case}: the plans inside jax.jit are not those of PyTorch")
    return measured


def _attempt(function: Callable[..., T | Missing], *arguments: Any) -> T | Missing:
    """The result, or what went wrong: one case that can't be measured does not cost all the others."""
    try:
        return function(*arguments)
    except WrongPlanError:
        raise
    except Exception as error:
        return Missing(one_line(f"{type(error).__name__}: {error}")[:200])
