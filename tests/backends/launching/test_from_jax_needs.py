"""The kernels for JAX arrays: what they need, and that what is missing is named."""

import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from eplb_xp.backends.launching import compiling, from_jax, primitives
from tests.support.jax_kernels import assert_same, loads, plan_for, planned_shapes
from tests.support.threads import elsewhere

pytestmark = pytest.mark.usefixtures("plainly_compiled")


def test_a_process_without_a_gpu_leaves_plans_to_xla(caplog: pytest.LogCaptureFixture) -> None:
    if from_jax.missing() is None:
        pytest.skip("JAX finds a GPU")
    weight = jnp.asarray(loads())
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert planned_shapes(plan_for, weight) == []
    assert "plan runs without its kernel: the kernels need an NVIDIA GPU" in caplog.text


def find_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = jax.devices
    monkeypatch.setattr(jax, "devices", lambda backend=None: [] if backend == "cuda" else devices(backend))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    find_a_gpu(monkeypatch)
    monkeypatch.setitem(sys.modules, "jax_triton", None)
    monkeypatch.setattr(from_jax, "missing", from_jax.missing.__wrapped__)
    with caplog.at_level(logging.DEBUG, logger="eplb_xp"):
        assert_same(jax.jit(partial(plan_for))(jnp.asarray(loads())), plan_for(loads()))
    assert (
        "plan runs without its kernel: the kernels need jax-triton and Triton, install the extra 'cuda'" in caplog.text
    )


def test_another_jax_triton_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    find_a_gpu(monkeypatch)
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    other = ModuleType("jax_triton")
    monkeypatch.setattr(other, "__version__", "0.4.0", raising=False)
    monkeypatch.setitem(sys.modules, "jax_triton", other)
    reason = from_jax.missing.__wrapped__()
    assert reason is not None
    assert "need jax-triton 0.3" in reason
    assert "0.4.0 is there" in reason


@pytest.mark.parametrize("before", [None, "/somewhere"])
def test_triton_keeps_its_cache(before: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    find_a_gpu(monkeypatch)
    monkeypatch.setitem(sys.modules, "triton", ModuleType("triton"))
    # Imported anew, and afterwards what it was.
    monkeypatch.setitem(sys.modules, "jax_triton", None)
    del sys.modules["jax_triton"]
    slow = "import os, time\nos.environ['TRITON_CACHE_DIR'] = ''\ntime.sleep(0.1)\n__version__ = '0.3.1'\n"
    (tmp_path / "jax_triton.py").write_text(slow)
    monkeypatch.syspath_prepend(tmp_path)
    if before is None:
        monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    else:
        monkeypatch.setenv("TRITON_CACHE_DIR", before)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(from_jax.missing.__wrapped__)
        while os.environ.get("TRITON_CACHE_DIR") != "" and not first.done():
            time.sleep(0.001)
        second = pool.submit(from_jax.missing.__wrapped__)  # while it is away
        assert (first.result(), second.result()) == (None, None)
    assert os.environ.get("TRITON_CACHE_DIR") == before


def test_kernels_are_compiled_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton changes the warning filters of all threads while it compiles."""
    parameters = SimpleNamespace(for_export=False)
    context: Any = SimpleNamespace(module_context=SimpleNamespace(lowering_parameters=parameters))
    may_another = partial(compiling.LOCK.acquire, blocking=False)
    by: Any = None
    monkeypatch.setattr(primitives, "_lowered", lambda *_, **__: elsewhere(may_another))
    assert primitives._lowered_for_cuda(context, None, once_written=by, kernels=by) is False
