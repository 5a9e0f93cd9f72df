"""What starting costs, as far as it can be held without a clock: `make bench-start` has the times."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import eplb_xp


def modules_after(code: str) -> set[str]:
    """What is imported in a process of its own that runs the code."""
    alone = [sys.executable, "-I", "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(alone, check=True, capture_output=True, text=True).stdout.split())  # noqa: S603 # our own code


def test_importing_adds_little() -> None:
    base = "import numpy, array_api_compat"
    added = modules_after(f"{base}, eplb_xp") - modules_after(base)
    assert {name.split(".")[0] for name in added} <= {"eplb_xp", *sys.stdlib_module_names}
    # Each of these would take longer than all the rest.
    assert not {"eplb_xp.loads", "importlib.metadata", "numpy.random"} & added


def test_the_first_plan_by_numpy_imports_little() -> None:
    code = """
import numpy as np, eplb_xp
for policy in eplb_xp.POLICIES:
    plan = eplb_xp.rebalance_experts(np.arange(8.0).reshape(1, 8), 12, 2, 2, 4, policy=policy)
    eplb_xp.evaluate(plan, np.arange(8.0).reshape(1, 8), 4)
"""
    imported = modules_after(code)
    assert "eplb_xp.backends.numpy" in imported
    # NumPy imports these two when they are named, array_api_compat.numpy names all there is.
    assert not {"array_api_compat.numpy", "numpy.f2py", "numpy.ma"} & imported


def test_the_first_plan_by_torch_imports_little() -> None:
    code = """
import torch, eplb_xp
for policy in eplb_xp.POLICIES:
    eplb_xp.rebalance_experts(torch.arange(8.0).reshape(1, 8), 12, 2, 2, 4, policy=policy)
"""
    imported = modules_after(code)
    assert "eplb_xp.backends.tensors.library" in imported
    # What makes operators, what starts kernels, and what the once-written code needs of torch.
    unneeded = {"eplb_xp.backends.tensors.operators", "eplb_xp.backends.launching.from_torch", "array_api_compat.torch"}
    assert not unneeded & imported


@pytest.mark.parametrize("code", ["eplb_xp.loads", "from eplb_xp import loads", "from eplb_xp import *"])
def test_loads_are_imported_when_they_are_asked_for(code: str) -> None:
    assert {"eplb_xp.loads", "numpy.random"} <= modules_after(f"import eplb_xp\n{code}")


def test_what_is_not_imported_yet_is_listed() -> None:
    code = "import eplb_xp\nassert {*eplb_xp.__all__, '__version__', '__doc__'} <= {*dir(eplb_xp)}"
    assert "eplb_xp.loads" not in modules_after(code)


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="module 'eplb_xp' has no attribute 'load'"):
        getattr(eplb_xp, "load")  # noqa: B009 # type checkers refuse eplb_xp.load


PLAN = """
import jax
import numpy as np
import eplb_xp

events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
loads = jax.device_put(np.arange(16, dtype=np.float32).reshape(2, 8))
jax.jit(lambda weight: eplb_xp.rebalance_experts(weight, 12, 2, 2, 4, policy="swap"))(loads)
print(*(events.count(f"/jax/compilation_cache/cache_{what}") for what in ("hits", "misses")))
"""


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    """A program is the same in every process, so JAX's persistent cache has it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XLA", "JAX"))}
    environment |= {"JAX_COMPILATION_CACHE_DIR": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}

    def hits_and_misses() -> list[int]:
        run = subprocess.run([sys.executable, "-c", PLAN], check=True, capture_output=True, text=True, env=environment)  # noqa: S603 # our own code
        return [int(number) for number in run.stdout.split()]

    assert hits_and_misses() == [0, 1]
    assert hits_and_misses() == [1, 0]
