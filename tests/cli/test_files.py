"""The loads that the command line reads; tests/test_loads.py has what their files may be."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp.cli.errors import UserError, with_options
from eplb_xp.cli.files import read_loads, summed
from tests.support.command_line import LOAD

EVERY = slice(None)


def test_loads_are_those_of_the_reader_and_their_sum(tmp_path: Path) -> None:
    over_time = np.stack([LOAD, 2 * LOAD, 5 * LOAD])
    np.save(tmp_path / "a.npy", over_time)
    found = read_loads(tmp_path / "a.npy", slice(1, None))
    np.testing.assert_array_equal(found.over_time, over_time[1:], strict=True)
    np.testing.assert_array_equal(found.load, 7.0 * LOAD, strict=True)


def test_the_sum_over_steps_does_not_wrap() -> None:
    over_time = np.full((4, 1, 2), 2**62)
    np.testing.assert_array_equal(summed(over_time, "").load, [[2.0**64, 2.0**64]])


@pytest.mark.parametrize(
    ("name", "title"),
    [("loads of today.npy", "loads of today.npy"), ("two\nlines.npy", "two lines.npy")],
)
def test_the_title_is_the_name_in_one_line(name: str, title: str, tmp_path: Path) -> None:
    np.save(tmp_path / name, LOAD)
    assert read_loads(tmp_path / name, EVERY).title == title


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    name = "long " * 30 + ".npy"
    np.save(tmp_path / name, LOAD)
    title = read_loads(tmp_path / name, EVERY).title
    assert len(title) <= 76
    assert title.startswith("long long ")
    assert title.endswith("...")


REFUSED: dict[str, tuple[str, Any, slice, str]] = {
    "no file": ("a.npy", None, EVERY, "can't be read: No such file or directory"),
    "one axis": ("a.npy", LOAD[0], EVERY, "got shape (6,)"),
    "negative": ("a.npy", -LOAD, EVERY, "negative"),
    "no such step": ("a.npy", LOAD, slice(3, 5), "none of them is in"),
    "sum beyond float32": ("a.npy", np.full((2, 1, 2), 3e38), EVERY, "above the largest float32"),
    "a size for a name": ("num_gpus.npy", LOAD[0], EVERY, "got shape (6,)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_file_once_and_the_fault(name: str, tmp_path: Path) -> None:
    file, load, steps, fault = REFUSED[name]
    path = tmp_path / file
    if load is not None:
        np.save(path, load)
    with pytest.raises(UserError) as error:
        read_loads(path, steps)
    assert str(error.value).startswith(f"{path}: ")
    assert str(error.value).count(str(path)) == 1
    assert fault in str(error.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").mkdir()
    with pytest.raises(UserError) as error:
        read_loads(tmp_path / "a.npy", EVERY)
    assert str(error.value) == f"{tmp_path / 'a.npy'}: the folder holds no files; those of all ranks are summed"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("num_replicas must be a multiple of num_gpus", "--num-replicas must be a multiple of --num-gpus"),
        ("num_groups, num_nodes", "--num-groups, --num-nodes"),
        ("max_replicas must be at least 1", "--max-replicas must be at least 1"),
        ("my_num_gpus num_gpus_here", "my_num_gpus num_gpus_here"),
    ],
)
def test_arguments_become_options(message: str, expected: str) -> None:
    assert with_options(message) == expected
