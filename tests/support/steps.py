"""Steps of the algorithms on a library, as the planner runs them."""

from functools import cache
from typing import Any

from eplb_xp.backends import library_of
from eplb_xp.backends.takeover import Step
from tests.support.library import Library


def run_step(library: Library, step: Step, *arrays: Any, **static: Any) -> Any:
    """What a step makes of NumPy arrays, the rows of all results being those of the arrays; settings are hashable."""
    return library.run(_of_arrays(step), *arrays, **static)


@cache
def _of_arrays(step: Step) -> Step:
    """One function object for each step, because JAX caches compilations by it."""

    def run(*arrays: Any, **static: Any) -> Any:
        return library_of("the first array", arrays[0]).run(step, *arrays, **static)

    return run
