"""How plans on a GPU are timed: by PyTorch and by JAX, on the host where there is no GPU."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import MagicMock

import jax
import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu import by_jax, by_torch, compiling, loads, measuring
from benchmarks.gpu.cases import Case
from benchmarks.gpu.checking import WrongPlanError, check
from benchmarks.gpu.found import Missing, Times
from benchmarks.gpu.loads import NumPyArray, timed
from eplb_xp import Plan, rebalance_experts
from tests.support.gpu_benchmark import SMALL

# JAX.


@pytest.fixture
def jax_on_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both libraries plan in host memory, and nothing but JAX is needed."""
    monkeypatch.setattr(by_jax, "PLATFORM", "cpu")
    for module in (by_jax, loads):
        monkeypatch.setattr(module, "SETS", 2)
    monkeypatch.setattr(measuring, "JAX_NEEDS", {"jax": "jax"})
    monkeypatch.setattr(by_torch, "DEVICE", "cpu")


@pytest.mark.usefixtures("jax_on_host", "plainly_compiled")
def test_jax_is_timed_where_its_plans_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measuring.measure([(SMALL, "jax")], {}, 40, lambda _: None)
    assert "the program has no kernels" in str(found.times[SMALL, "jax"])

    monkeypatch.setattr(by_jax, "KERNEL", "")
    by_jax._compiling.cache_clear()
    (taken,) = measuring.measure([(SMALL, "jax")], {}, 40, lambda _: None).times.values()
    assert isinstance(taken, Times)
    assert 0 < taken.lower <= taken.median <= taken.upper
    assert taken.rounds == 4

    monkeypatch.setattr(by_torch, "phy2log", lambda case, sets: np.zeros((len(sets), case.layers, case.replicas)))
    with pytest.raises(WrongPlanError, match=r"^swap global, 3 x 8, 12 / 4: "):
        measuring.measure([(SMALL, "jax")], {}, 40, lambda _: None)


@pytest.mark.usefixtures("jax_on_host")
def test_plans_of_the_same_loads_must_not_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    def program(loads: tuple[jax.Array, ...]) -> NumPyArray:
        slots = np.zeros((len(loads), SMALL.layers, SMALL.replicas))
        slots[-1, -1, -1] = 1
        return slots

    monkeypatch.setattr(by_jax, "_compiling", lambda _: MagicMock(result=lambda: program))
    with pytest.raises(WrongPlanError, match=r"^swap global, 3 x 8, 12 / 4: .* for the same loads before"):
        by_jax.measure(SMALL, timed(SMALL.layers, SMALL.experts), 1)


def test_what_jax_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "JAX_NEEDS", {"jax": "jax", "no_such_module": "no-such-package"})
    found = measuring.measure([(SMALL, "jax")], {}, 40, lambda _: None)
    assert found.times == {(SMALL, "jax"): Missing("no-such-package is not installed")}


def test_kernels_are_compiled_in_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(compiling, "MOST_PROCESSES", 1)
    compiling.compile_all([SMALL], said.append)  # there is no GPU, which is for those who plan later to say
    assert said == [f"compiled {SMALL}"]


# PyTorch.


class Graph:
    """A CUDA graph that plans in host memory, for the loads that were planned for last when it was captured."""

    def __init__(self, log: list[str], *, stale: bool) -> None:
        self.log, self.stale = log, stale
        self.load, self.made = torch.empty(0), Plan(*[torch.empty(0)] * 3)

    def replay(self) -> None:
        self.log.append("replay")
        if not self.stale:
            for old, new in zip(self.made, rebalance_experts(self.load, **SMALL.arguments), strict=True):
                old.copy_(new)


class Event:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def record(self) -> None:
        self.log.append("record")

    def elapsed_time(self, end: "Event") -> float:
        assert end is not self
        return 0.025


@pytest.fixture
def cuda_on_host(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done, in order, with a GPU that is the host."""
    log: list[str] = []
    monkeypatch.setattr(by_torch, "DEVICE", "cpu")
    cuda = {
        "Stream": MagicMock,
        "stream": lambda _: nullcontext(),
        "current_stream": MagicMock,
        "synchronize": lambda: log.append("synchronize"),
        "_sleep": lambda _: log.append("sleep"),
        "Event": lambda enable_timing: Event(log) if enable_timing else None,
    }
    for name, value in cuda.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return log


@pytest.mark.parametrize("stale", [False, True])
def test_replays_are_timed_with_a_busy_gpu(
    stale: bool, cuda_on_host: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Graph(cuda_on_host, stale=stale)
    call = by_torch._call

    def captured(case: Case, load: torch.Tensor) -> Plan[torch.Tensor]:
        made = call(case, load)
        if capturing and not graph.load.numel():
            graph.load, graph.made = load, made
        return made

    capturing: list[bool] = []

    @contextmanager
    def capture(_: Graph) -> Iterator[None]:
        capturing.append(True)
        yield

    monkeypatch.setattr(by_torch, "_call", captured)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    sets = timed(SMALL.layers, SMALL.experts)
    if stale:
        with pytest.raises(WrongPlanError, match="from the graph is not that of a call"):
            by_torch.graph(SMALL, sets, 5)
        return
    assert by_torch.graph(SMALL, sets, 5) == Times(25, 25, 25, 5, 25)
    replays = by_torch.FIRST_REPLAYS + 5
    assert cuda_on_host == ["sleep", "record", "replay", "record"] * replays + ["synchronize"]


def test_calls_are_timed_one_by_one(cuda_on_host: list[str]) -> None:
    taken = by_torch.eager(SMALL, timed(SMALL.layers, SMALL.experts), 5)
    assert taken.rounds == 5
    assert 0 < taken.lower <= taken.median <= taken.upper
    assert cuda_on_host == ["synchronize"] * 2 * (by_torch.FIRST_CALLS + 5)


@pytest.mark.usefixtures("cuda_on_host")
def test_what_the_host_does_is_no_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_torch, "profile", lambda **_: profile(activities=[ProfilerActivity.CPU]))
    launched = by_torch.launches(SMALL, timed(SMALL.layers, SMALL.experts))
    assert launched == Missing("torch.profiler saw nothing on the GPU")


@pytest.mark.cuda
def test_plans_are_timed_on_a_gpu() -> None:
    check(SMALL, 1, by_torch.made)
    sets = timed(SMALL.layers, SMALL.experts)
    for measure in (by_torch.graph, by_torch.eager):
        taken = measure(SMALL, sets, 12)
        assert 0 < taken.lower <= taken.median <= taken.upper
        assert taken.rounds == 12
    launched = by_torch.launches(SMALL, sets)
    assert not isinstance(launched, Missing)
    assert len(launched) >= 1
