"""Every public function from eight threads at once: the same results, and a process that is set as it was."""

import functools
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, BinaryIO

import array_api_strict as strict
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax import lax

import eplb_xp
from eplb_xp import POLICIES, loads, rebalance_experts
from eplb_xp.backends import numpy as numpy_backend
from eplb_xp.backends.launching import from_torch
from eplb_xp.backends.takeover import SWITCH
from eplb_xp.formats.containers import npy
from tests.support.process import settings_of_process, settings_of_thread
from tests.support.recorded import READABLE, TENSOR, pt
from tests.support.threads import at_once, elsewhere

THREADS = 8

WEIGHT = np.array([[90, 132, 40, 61, 104, 165, 39, 4], [20, 107, 104, 64, 19, 197, 187, 157]], np.float32)
SIZES = (12, 2, 2, 4)
MAPS = eplb_xp.rebalance_experts(WEIGHT, *SIZES)
COUNTS = np.stack([WEIGHT, WEIGHT[::-1], WEIGHT, 0 * WEIGHT], axis=1).astype(np.int32)
SHARES = eplb_xp.share_tokens(MAPS, COUNTS.sum(axis=1), 4)

Job = Callable[[], Any]


@pytest.fixture(autouse=True)
def _threads_take_turns_often() -> Generator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def planning(asarray: Callable[[Any], Any], policies: tuple[str, ...] = tuple(POLICIES)) -> list[Job]:
    """Each function, with loads that are good and with others."""
    weight = asarray(WEIGHT)
    plan = eplb_xp.Plan(*map(asarray, MAPS))
    shares, counts, row = eplb_xp.Shares(*map(asarray, SHARES)), asarray(COUNTS), [asarray(x[0]) for x in MAPS]
    bad = [asarray(WEIGHT * factor) for factor in (-1.0, np.float32("nan"))] + [asarray(WEIGHT > 1), asarray(WEIGHT[0])]
    return [
        *(functools.partial(rebalance_experts, weight, *SIZES, policy=policy) for policy in policies),
        functools.partial(eplb_xp.rebalance_experts_hierarchical, weight, *SIZES),
        functools.partial(eplb_xp.balanced_packing, weight, 4),
        functools.partial(eplb_xp.replicate_experts, weight, 12),
        functools.partial(eplb_xp.evaluate, plan, weight, 4),
        functools.partial(eplb_xp.share_tokens, plan, weight, 4),
        functools.partial(eplb_xp.prepare_shares, plan, 4),
        functools.partial(eplb_xp.evaluate, plan, weight, 4, shares=plan.phy2log),
        functools.partial(eplb_xp.quotas, shares, plan, counts, rank=1),
        functools.partial(eplb_xp.probabilities, shares, plan),
        functools.partial(eplb_xp.route, counts[0, ...], row),
        functools.partial(eplb_xp.route, counts[0, ...] // 30, row, row[1]),
        functools.partial(eplb_xp.moves, plan, plan.phy2log // 2, 4, 2),
        functools.partial(eplb_xp.logical_maps, plan.phy2log, 8),
        functools.partial(eplb_xp.expert_loads, plan.phy2log, plan.phy2log, 8),
        functools.partial(eplb_xp.check_loads, weight),
        *(functools.partial(eplb_xp.check_loads, each) for each in bad),
        *(functools.partial(rebalance_experts, each, *SIZES, policy="greedy") for each in bad),
        functools.partial(eplb_xp.evaluate, plan, bad[0], 4),
        functools.partial(rebalance_experts, weight, 13, 2, 2, 4),
        functools.partial(rebalance_experts, weight, *SIZES, policy="none"),
    ]


def of_files(folder: Path) -> list[Job]:
    """Files that hold loads, files of others that torch warns of, and loads that are generated and measured."""
    files = {f"{name} {file}": content for name, (file, content) in READABLE.items()}
    files |= {f"protocol {number}.pt": pt(TENSOR, pickle_protocol=number) for number in (0, 4, 5)}
    files |= {"cut.pt": pt(TENSOR)[:-30], "code.pt": pt({"load": print}), "none.json": b"{", "none.csv": b"a,b\n1,2\n"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    some = loads.Preset("some", layers=2, experts=8, top_k=2, tokens=64, sigma=1.0)
    return [
        *(functools.partial(loads.read, folder / name) for name in [*files, "missing.npy"]),
        functools.partial(loads.generate, some, steps=2, seed=1),
        functools.partial(loads.generate, "none"),
        functools.partial(loads.statistics, np.stack([WEIGHT, WEIGHT * 0])),
    ]


def outcome(job: Job) -> Any:
    """What a job gives, so that it can be compared."""
    try:
        result = job()
    except (OSError, TypeError, ValueError) as error:
        return type(error), str(error)
    arrays = result if isinstance(result, tuple) else (result,)
    return type(result), [(type(x), str(getattr(x, "dtype", "")), repr(np.asarray(x).tolist())) for x in arrays]


def assert_threads_agree(jobs: list[Job], rounds: int = 2) -> None:
    """Each thread does all of the jobs, and begins with another one."""
    expected = [outcome(job) for job in jobs]
    before, own = settings_of_process(), settings_of_thread()

    def work(thread: int) -> list[Any]:
        first = thread * len(jobs) // THREADS
        order = [*range(first, len(jobs)), *range(first)]
        mine = settings_of_thread()
        results = {i: outcome(jobs[i]) for i in order}
        assert settings_of_thread() == mine
        return [results[i] for i in range(len(jobs))]

    for _ in range(rounds):
        for found in at_once(work, THREADS):
            for ours, theirs in zip(found, expected, strict=True):
                assert ours == theirs
        assert settings_of_process() == before
        assert settings_of_thread() == own


@pytest.mark.parametrize("kernels", ["native,triton", "0"])
def test_all_functions_in_all_libraries(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, kernels)
    jobs = planning(np.array) + planning(strict.asarray, ("greedy",))
    if kernels != "0":
        jobs += planning(torch.asarray) + planning(jnp.asarray)
    else:  # torch's own operations, and XLA would compile each
        jobs += planning(torch.asarray, ("greedy", "swap"))
    assert_threads_agree(jobs)


def test_files_and_generated_loads(tmp_path: Path) -> None:
    assert_threads_agree(of_files(tmp_path), rounds=5)


def test_a_parser_that_fell_over_another_thread_reads_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = iter([True, True, False])
    of_numpy = npy.HEADERS[1, 0]

    def read_header(file: BinaryIO) -> Any:
        found = of_numpy(file)
        if next(fails):
            raise SystemError("AST constructor recursion depth mismatch (before=154, after=51)")
        return found

    np.save(tmp_path / "a.npy", WEIGHT)
    monkeypatch.setitem(npy.HEADERS, (1, 0), read_header)
    np.testing.assert_array_equal(loads.read(tmp_path / "a.npy")[0], WEIGHT)
    assert next(fails, None) is None


def test_compiled_and_transformed_functions() -> None:
    packing = functools.partial(eplb_xp.balanced_packing, num_packs=4)
    compiled, batched = jax.jit(functools.partial(packing)), torch.func.vmap(packing)
    assert_threads_agree(
        [functools.partial(compiled, jnp.asarray(WEIGHT)), functools.partial(batched, torch.asarray(WEIGHT[None]))]
    )


def traced(layers: int) -> str:
    """A program of so many items that XLA is to sort 64-bit integers."""
    shape = layers, 160
    return str(jax.make_jaxpr(lambda x: eplb_xp.balanced_packing(x, 80))(jax.ShapeDtypeStruct(shape, jnp.float32)))


def test_programs_are_traced_as_by_one_thread() -> None:
    before = settings_of_process()
    at_once_traced = set(at_once(lambda _: traced(2), THREADS))
    assert settings_of_process() == before
    jax.clear_caches()
    assert at_once_traced == {traced(2)}


def test_x64_around_sorts_is_on_in_its_own_thread_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    sort = lax.sort

    def watched(*arguments: Any, **options: Any) -> Any:
        seen.append((str(jnp.arange(1).dtype), elsewhere(settings_of_thread) == outside))
        return sort(*arguments, **options)

    outside = settings_of_thread()
    monkeypatch.setattr(lax, "sort", watched)
    traced(3)
    assert set(seen) == {("int64", True)}


def test_the_error_state_around_steps_is_that_of_its_own_thread_alone() -> None:
    usual = np.geterr()
    inside, other = numpy_backend.LIBRARY.call(lambda _: (np.geterr(), elsewhere(np.geterr)))
    assert set(inside.values()) == {"ignore"}
    assert np.geterr() == other == usual


FIRST = """
import os, threading, warnings
from concurrent.futures import ThreadPoolExecutor
import jax, numpy, torch

barrier = threading.Barrier(8)
weight = numpy.arange(16.0, dtype=numpy.float32).reshape(2, 8)

def work(asarray):
    barrier.wait(60)
    import eplb_xp
    plan = eplb_xp.rebalance_experts(asarray(weight), 12, 1, 1, 4)
    eplb_xp.loads.generate("gpt-oss-20b")
    return [numpy.asarray(x).tolist() for x in plan]

before = list(warnings.filters), warnings.showwarning, dict(os.environ)
with ThreadPoolExecutor(8) as pool:
    results = list(pool.map(work, [numpy.asarray, torch.asarray, jax.numpy.asarray, numpy.asarray] * 2))
assert all(result == results[0] for result in results)
assert (list(warnings.filters), warnings.showwarning, dict(os.environ)) == before
"""


def test_all_threads_may_be_the_first() -> None:
    """To import the package, its backends and its loads, and to plan."""
    subprocess.run([sys.executable, "-I", "-W", "error", "-c", FIRST], check=True)  # noqa: S603 # our own code


@pytest.mark.cuda
def test_first_plans_on_gpus() -> None:
    number = torch.cuda.device_count()
    from_torch._planner.cache_clear()

    def work(thread: int) -> Any:
        mine, other = thread % number, (thread + 1) % number
        torch.cuda.set_device(mine)
        found = rebalance_experts(torch.asarray(WEIGHT, device=f"cuda:{other}"), *SIZES)
        assert (torch.cuda.current_device(), found.phy2log.device.index) == (mine, other)
        return [x.tolist() for x in found]

    before = settings_of_process()
    assert at_once(work, THREADS) == [[x.tolist() for x in MAPS]] * THREADS
    assert settings_of_process() == before
