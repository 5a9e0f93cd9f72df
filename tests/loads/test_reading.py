"""Recorded loads: what is read from which file, and which steps."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eplb_xp.loads import read
from tests.support.recorded import LOAD, READABLE, STEPS, TENSOR, bad, npy, pt, table


@pytest.mark.parametrize("name", READABLE)
def test_loads_are_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / READABLE[name][0]
    path.write_bytes(READABLE[name][1])
    load = read(str(path) if "csv" in name else path)
    np.testing.assert_array_equal(load, LOAD[None], strict=True)
    assert load.flags.owndata
    assert load.flags.writeable
    assert load.flags.c_contiguous
    assert load.dtype.isnative


FLOATS: dict[str, tuple[str, bytes]] = {
    **{
        f"npy {dtype}": ("a.npy", npy((LOAD / 2).astype(dtype)))
        for dtype in ("float32", "float64", "longdouble", ">f8")
    },
    "npy float16": ("a.npy", npy(np.minimum(LOAD / 2, 35008).astype(np.float16))),
    "json": ("a.json", json.dumps((LOAD / 2).tolist()).encode()),
    "json, some integers": ("a.json", b"[[2.5, 0, 1.0, 4.5], [0.5, 0.5, 35008, 1.5]]"),
    "csv": ("a.csv", b"2.5,0,1e0,4.5\n.5,0.5,3.5008e4,1.5\n"),
    "pt": ("a.pt", pt((TENSOR / 2).requires_grad_())),
}


@pytest.mark.parametrize("name", FLOATS)
def test_floats_stay_floats(name: str, tmp_path: Path) -> None:
    path = tmp_path / FLOATS[name][0]
    path.write_bytes(FLOATS[name][1])
    np.testing.assert_array_equal(read(path), LOAD[None] / 2, strict=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e5m2, torch.uint16])
def test_small_types_of_torch_are_widened(dtype: torch.dtype, tmp_path: Path) -> None:
    torch.save(torch.asarray([[1, 2, 1.5, 4]]).to(dtype), tmp_path / "a.pt")
    expected = [[[1, 2, 1.5, 4]]] if dtype.is_floating_point else [[[1, 2, 1, 4]]]
    np.testing.assert_array_equal(read(tmp_path / "a.pt"), expected)
    assert read(tmp_path / "a.pt").dtype == (np.float64 if dtype.is_floating_point else np.int64)


@pytest.mark.parametrize(
    "steps",
    [slice(None), slice(1), slice(1, None), slice(-1, None), slice(None, None, -1), slice(2, 0, -2), slice(1, 99)],
)
def test_steps_are_chosen_as_python_chooses(steps: slice, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", STEPS)
    np.testing.assert_array_equal(read(tmp_path / "a.npy", steps=steps), STEPS[steps], strict=True)
    total = read(tmp_path / "a.npy", steps=steps, sum_steps=True)
    np.testing.assert_array_equal(total, STEPS[steps].sum(axis=0), strict=True)


def test_long_tables_have_steps(tmp_path: Path) -> None:
    rows = [(*index, STEPS[index]) for index in np.ndindex(STEPS.shape)]
    (tmp_path / "a.csv").write_bytes(table("step,layer,expert,load", *rows[7:], *rows[:7]))
    np.testing.assert_array_equal(read(tmp_path / "a.csv"), STEPS, strict=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "int64"])
def test_all_axes_before_layers_are_steps_and_sums_do_not_overflow(dtype: str, tmp_path: Path) -> None:
    over_time = np.full((3, 100, 2, 4), 250, dtype)  # 75,000 in all: beyond uint16 and float16
    over_time[1, 0, 1, 2] = 0
    np.save(tmp_path / "a.npy", over_time)
    load = read(tmp_path / "a.npy")
    assert load.shape == (300, 2, 4)
    assert load[100, 1, 2] == 0
    expected = np.full((2, 4), 75000, np.float64 if dtype == "float16" else np.int64)
    expected[1, 2] = 74750
    np.testing.assert_array_equal(read(tmp_path / "a.npy", sum_steps=True), expected, strict=True)


def test_steps_and_layers_without_load_are_kept(tmp_path: Path) -> None:
    torch.save({"logical_count": torch.zeros((2, 3, 4), dtype=torch.int32)}, tmp_path / "a.pt")
    np.testing.assert_array_equal(read(tmp_path / "a.pt"), np.zeros((2, 3, 4), np.int64), strict=True)


def test_steps_that_are_not_chosen_may_be_bad(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([bad(np.nan), LOAD, LOAD]))
    np.testing.assert_array_equal(read(tmp_path / "a.npy", steps=slice(1, None)), np.stack([LOAD, LOAD]))
