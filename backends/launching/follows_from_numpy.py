"""Plans that follow others, or are for samples, for arrays in host memory, by the native code of `native/following`."""

import functools
from typing import Any

import numpy as np

from eplb_xp.algorithms.following import follow as once_written
from eplb_xp.algorithms.following import for_samples
from eplb_xp.algorithms.following import frontier as paths
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.launching.searching import STEPS
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal, Step


def _taken(step: Step, lib: Standard, *arrays: np.ndarray[Any, Any], lanes: int | None = None, **settings: Any) -> Any:
    """What the step returns, by native code, or why the once-written code takes it."""
    native = from_numpy.extension_for(settings["sizes"])
    if isinstance(native, Refusal):
        return native
    told, loads = STEPS[step], arrays[-1].shape
    numbers = told.numbers(loads, **settings)
    if isinstance(numbers, Refusal):
        return numbers
    with np.errstate(all="ignore"):
        others = [np.ascontiguousarray(x, np.int64 if lib.is_integer(x) else np.float32) for x in arrays[:-1]]
        weight = np.ascontiguousarray(lib.float32(arrays[-1]))
    results = [np.empty(*result) for result in told.results(loads, np.int64, **settings)]
    in_order = (numbers[name] for name in sorted(numbers))
    call = getattr(native, step.__name__)
    call(*others, weight, *in_order, *results, lanes or native.MOST_LANES, from_numpy.threads())
    return told.pack(*results)


follow = functools.partial(_taken, once_written.follow)
follow_or_renew = functools.partial(_taken, once_written.follow_or_renew)
renew = functools.partial(_taken, once_written.renew)
frontier = functools.partial(_taken, paths.frontier)
plan_for_samples = functools.partial(_taken, for_samples.plan_for_samples)
