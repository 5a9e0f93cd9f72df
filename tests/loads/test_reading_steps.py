"""Recorded loads: which steps are read, their sums, and what is refused of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp.loads import read
from tests.support.recorded import LOAD, STEPS, bad, table


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


def test_sums_beyond_what_loads_may_be_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "floats.npy", np.stack([bad(3e38), bad(3e38)]))
    assert read(tmp_path / "floats.npy").shape == (2, 2, 4)
    with pytest.raises(ValueError, match=r"the first 6e\+38 in the sum of the steps, layer 1, expert 2"):
        read(tmp_path / "floats.npy", sum_steps=True)
    np.save(tmp_path / "integers.npy", np.stack([bad(2**62, "int64"), bad(2**62, "int64")]))
    with pytest.raises(ValueError, match=r"the first 9.22337\d*e\+18 in the sum of the steps, layer 1, expert 2"):
        read(tmp_path / "integers.npy", sum_steps=True)


def test_bad_values_are_named_by_their_step_in_the_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([LOAD, LOAD, bad(-4), LOAD]))
    with pytest.raises(ValueError, match=r"the first -4\.0 in step 2, layer 1, expert 2"):
        read(tmp_path / "a.npy", steps=slice(None, 0, -1))


@pytest.mark.parametrize(
    ("steps", "written"), [(slice(3, None), "3:"), (slice(2, 1), "2:1"), (slice(0), ":0"), (slice(0, 2, -1), "0:2:-1")]
)
def test_no_steps_are_refused(steps: slice, written: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", STEPS)
    with pytest.raises(ValueError, match=rf"there are 3 steps, and none of them is in {written}$"):
        read(tmp_path / "a.npy", steps=steps)


@pytest.mark.parametrize("steps", [3, None, (0, 1)])
def test_steps_must_be_a_slice(steps: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"steps must be a slice, such as slice\(10, None\), got"):
        read(tmp_path / "a.npy", steps=steps)
