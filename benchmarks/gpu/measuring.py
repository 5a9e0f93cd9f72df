"""Every case in every way, or why not."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from importlib import util
from typing import Any, TypeVar

import numpy as np

from benchmarks.gpu import by_torch
from benchmarks.gpu.cases import Case
from benchmarks.gpu.checking import WrongPlanError, check
from benchmarks.gpu.found import Found, Missing, Times
from benchmarks.gpu.loads import NumPyArray, timed
from eplb_xp import POLICIES
from eplb_xp.backends.launching.launch import launch
from eplb_xp.backends.takeover import Refusal
from eplb_xp.cli.errors import one_line
from eplb_xp.sizes import check_sizes

JAX_NEEDS = {"jax": "jax", "jax_triton": "jax-triton"}

T = TypeVar("T")


def refused(cases: Iterable[Case]) -> dict[Case, Missing]:
    """The cases that the kernels leave to the once-written code."""
    found = {}
    for case in cases:
        sizes = check_sizes(case.experts, case.replicas, case.groups, case.nodes, case.gpus)
        result = launch(case.layers, case.experts, sizes, POLICIES[case.policy])
        if isinstance(result, Refusal):
            found[case] = Missing(f"refused by the kernels: {result.reason}")
    return found


def compile_ahead(pairs: Iterable[tuple[Case, str]]) -> list[Future[Any]]:
    """JAX's programs, compiled beside what is done before anything is timed; it takes as long."""
    if _missing_package() is not None:
        return []
    from benchmarks.gpu import by_jax  # noqa: PLC0415  it may be missing

    return [*by_jax.compile_ahead(case for case, way in pairs if way == "jax")]


def _missing_package() -> str | None:
    return next((package for module, package in JAX_NEEDS.items() if util.find_spec(module) is None), None)


def failed(cases: Iterable[Case], seed: int, announce: Callable[[str], None]) -> dict[Case, Missing]:
    """The cases that no plan is made of; all other plans are compared with NumPy's, and none may differ."""
    found = {}
    for case in cases:
        announce(f"checking {case}")
        result = _attempt(check, case, seed, by_torch.plan)
        if isinstance(result, Missing):
            found[case] = result
    return found


def measure(
    pairs: Iterable[tuple[Case, str]], missing: dict[Case, Missing], replays: int, announce: Callable[[str], None]
) -> Found:
    """Time every case in its ways, and count what each plan launches."""
    found = Found({}, {})
    for case, way in pairs:
        announce(f"timing {case}, {way}")
        if case in missing:
            found.times[case, way] = missing[case]
            continue
        sets = timed(case.layers, case.experts)
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
