"""Plans and reports in files, in copies, in trees and in other processes; and in later versions."""

import concurrent.futures
import copy
import io
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import eplb_xp
from eplb_xp import POLICIES, Plan, Report, saving
from eplb_xp.types import A
from tests.support.calls import WEIGHT

LOAD = WEIGHT.astype(np.int64)
PLAN = eplb_xp.rebalance_experts(LOAD, 6, 1, 1, 2)
REPORT = eplb_xp.evaluate(PLAN, LOAD, 2)
SHARES = eplb_xp.share_tokens(PLAN, LOAD, 2)
PREPARED = eplb_xp.prepare_shares(PLAN, 2)
MOVES = eplb_xp.moves(PLAN, PLAN.phy2log[:, ::-1], 2)
SHARED = eplb_xp.evaluate(PLAN, LOAD, 2, shares=SHARES)

ARRAYS: dict[str, Callable[[Any], Any]] = {"numpy": np.array, "torch": torch.asarray, "jax": jnp.asarray}
every_array = pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
every_tuple = pytest.mark.parametrize(
    "made", [PLAN, REPORT, SHARES, PREPARED, SHARED, MOVES], ids=lambda made: type(made).__name__
)


def assert_same(got: Any, made: Any) -> None:
    assert type(got) is type(made)
    for x, y in zip(got, made, strict=True):
        assert type(x) is type(y)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y), strict=True)


def of(array: Callable[[Any], Any], made: Any) -> Any:
    return type(made)(*map(array, made))


@every_array
@every_tuple
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_by_every_protocol(array: Callable[[Any], Any], made: Any, protocol: int) -> None:
    made = of(array, made)
    assert_same(pickle.loads(pickle.dumps(made, protocol)), made)  # noqa: S301 # our own


@every_array
@every_tuple
def test_copies_and_a_plain_dict(array: Callable[[Any], Any], made: Any) -> None:
    made = of(array, made)
    for other in (copy.copy(made), copy.deepcopy(made), type(made)(**made._asdict()), made._replace()):
        assert_same(other, made)
    assert list(made._asdict()) == list(made._fields)


@every_tuple
def test_trees_of_jax_and_of_torch(made: Any) -> None:
    in_jax = of(jnp.asarray, made)
    assert_same(jax.device_get(in_jax), of(np.asarray, in_jax))
    assert_same(jax.tree.map(lambda x: x, in_jax), in_jax)
    leaves, tree = jax.tree_util.tree_flatten_with_path(in_jax)
    assert [jax.tree_util.keystr(path) for path, _ in leaves] == [f".{name}" for name in made._fields]
    assert_same(jax.tree.unflatten(tree, [x for _, x in leaves]), in_jax)

    in_torch = of(torch.asarray, made)
    assert_same(torch.utils._pytree.tree_map(lambda x: x, in_torch), in_torch)
    paths, spec = torch.utils._pytree.tree_flatten_with_path(in_torch)
    assert [torch.utils._pytree.keystr(path) for path, _ in paths] == [f".{name}" for name in made._fields]
    assert_same(torch.utils._pytree.tree_unflatten([x for _, x in paths], spec), in_torch)


def test_another_process_gets_a_plan_and_gives_a_report() -> None:
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert_same(pool.submit(eplb_xp.evaluate, PLAN, LOAD, 2).result(), REPORT)


def content() -> dict[str, Any]:
    plan, report = of(torch.asarray, PLAN), of(torch.asarray, REPORT)
    return {
        "plan": plan,
        "nested": [(plan, report), {"report": report}],
        "shares": [of(torch.asarray, made) for made in (SHARES, PREPARED, SHARED, MOVES)],
        "policy": POLICIES["joint"],
        "step": 7,
    }


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=["archive", "before archives"])
def test_torch_loads_what_it_saved(options: dict[str, Any]) -> None:
    file = io.BytesIO()
    torch.save(content(), file, **options)
    file.seek(0)
    loaded, expected = torch.load(file), content()
    assert_same(loaded["plan"], expected["plan"])
    (plan, report), inner = loaded["nested"]
    assert_same(plan, expected["plan"])
    assert_same(report, inner["report"])
    for ours, theirs in zip(loaded["shares"], expected["shares"], strict=True):
        assert_same(ours, theirs)
    assert loaded["policy"] == POLICIES["joint"]


ORDERS = {
    "torch first": "import torch, eplb_xp",
    "a tensor": "import eplb_xp, torch\neplb_xp.check_loads(torch.ones(1, 2))",
    "an array": "import eplb_xp, torch, numpy\neplb_xp.check_loads(numpy.ones((1, 2)))",
    "said in a line": "import eplb_xp, torch\n"
    "torch.serialization.add_safe_globals([eplb_xp.Plan, eplb_xp.Report, eplb_xp.Policy])\n"
    "torch.serialization.add_safe_globals([eplb_xp.Shares, eplb_xp.Prepared, eplb_xp.SharedReport, eplb_xp.Moves])",
}


def test_another_process_loads_it_in_either_order(tmp_path: Path) -> None:
    torch.save(content(), tmp_path / "plan.pt")
    load = "\nimport sys\nassert type(torch.load(sys.argv[1])['plan']) is eplb_xp.Plan"
    started = [
        subprocess.Popen([sys.executable, "-I", "-c", code + load, tmp_path / "plan.pt"])  # noqa: S603 # our own code
        for code in ORDERS.values()
    ]
    assert [process.wait(120) for process in started] == [0] * len(ORDERS)


@pytest.mark.parametrize("there", [{}, {"torch.serialization": ModuleType("torch.serialization")}])
def test_a_torch_that_is_being_imported_is_left_alone(
    there: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch.serialization")
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    for name, module in there.items():
        monkeypatch.setitem(sys.modules, name, module)
    saving.name_to_torch()


# As version 0.1.0 writes them.
PICKLED = {
    b"\x80\x02ceplb_xp.types\nPlan\nK\x01K\x02K\x03\x87\x81.": Plan(1, 2, 3),  # type: ignore[type-var]
    b"\x80\x02ceplb_xp.types\nReport\n(K\x01K\x02K\x03K\x04K\x05t\x81.": Report(1, 2, 3, 4, 5),  # type: ignore[type-var]
}


@pytest.mark.parametrize("pickled", PICKLED)
def test_what_the_first_version_pickled(pickled: bytes) -> None:
    loaded = pickle.loads(pickled)  # noqa: S301 # our own
    assert loaded == PICKLED[pickled]
    assert type(loaded) is type(PICKLED[pickled])


class Later(NamedTuple, Generic[A]):
    """A plan of a version that has one field more."""

    phy2log: A
    log2phy: A
    logcnt: A
    more: A | None = None


def test_a_version_with_more_fields_reads_it() -> None:
    class LaterVersion(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            assert (module, name) == ("eplb_xp.types", "Plan")
            return Later

    first, _ = PICKLED
    assert LaterVersion(io.BytesIO(first)).load() == Later(1, 2, 3)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("made", "first"),
    [
        (Plan, ("phy2log", "log2phy", "logcnt")),
        (Report, ("gpu_load", "balancedness", "lower_bound", "gap", "doubled")),
    ],
)
def test_fields_that_come_later_are_last_and_have_defaults(made: Any, first: tuple[str, ...]) -> None:
    assert made._fields[: len(first)] == first
    assert made._fields[len(first) :] == tuple(made._field_defaults)
    assert made(*range(len(first)))[: len(first)] == tuple(range(len(first)))
