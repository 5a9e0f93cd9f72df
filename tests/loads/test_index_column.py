"""Columns that are no loads, in files that have no names for them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp.loads import read
from tests.support.libraries import NumPyArray
from tests.support.recorded import npy, npz, pt

LOADS = np.array([[90, 132], [20, 107], [61, 40]])
GRID = np.array([(layer, expert, 10 * layer + expert) for layer in range(3, 6) for expert in range(8)])


def numbered(start: int) -> NumPyArray:
    """Loads behind a column that counts."""
    return np.column_stack([np.arange(start, start + len(LOADS)), LOADS])


FILES: dict[str, Any] = {
    "a.csv": lambda array: "\n".join(",".join(map(str, row)) for row in array.tolist()).encode(),
    "a.json": lambda array: json.dumps(array.tolist()).encode(),
    "a.npy": npy,
    "a.npz": lambda array: npz(counts=array),
    "a.pt": lambda array: pt(torch.asarray(array)),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_a_first_column_that_counts_is_refused_unless_told(file: str, start: int, dtype: str, tmp_path: Path) -> None:
    path = tmp_path / file
    path.write_bytes(FILES[file](numbered(start).astype(dtype)))
    with pytest.raises(
        ValueError, match=rf"first of 3 columns counts {start}, {start + 1}, .*index_column=True leaves"
    ):
        read(path)
    np.testing.assert_array_equal(read(path, index_column=True), [LOADS])
    np.testing.assert_array_equal(read(path, index_column=False), [numbered(start)])


@pytest.mark.parametrize(
    "content",
    ["0,90,132\n1,20,107\n", "1;90;132\n2;20;107\n", "e0,e1,e2\n0,90,132\n1,20,107\n", ",0,1\n0,90,132\n1,20,107\n"],
)
def test_two_rows_of_a_table_are_enough(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ValueError, match=r"pandas' to_csv writes .* index=False: index_column=True leaves it out"):
        read(tmp_path / "a.csv")
    assert read(tmp_path / "a.csv", index_column=False)[0, :, 1:].tolist() == [[90, 132], [20, 107]]


@pytest.mark.parametrize("header", ["", ",e0,e1\n", ",0,1\n", "index,expert_0,expert_1\n", "row,e0,e1\n"])
def test_the_first_column_is_left_out_whatever_its_name(header: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{header}0,90,132\n1,20,107\n2,61,40\n")
    np.testing.assert_array_equal(read(tmp_path / "a.csv", index_column=True), [LOADS])


@pytest.mark.parametrize(
    "content", ["0,90,132\n", "0,90,132\n2,20,107\n", "1,90,132\n0,20,107\n", "2,90,132\n3,20,107\n"]
)
def test_other_columns_are_loads(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(content)
    assert read(tmp_path / "a.csv").shape == (1, content.count("\n"), 3)


def test_a_column_that_counts_in_one_step_alone_is_loads(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.stack([numbered(0), numbered(0)[::-1]]))
    assert read(tmp_path / "a.npy").shape == (2, 3, 3)
    np.save(tmp_path / "a.npy", np.stack([numbered(0)] * 2))
    with pytest.raises(ValueError, match="first of 3 columns counts"):
        read(tmp_path / "a.npy")


RNG = np.random.default_rng(0)
ROWS: dict[str, NumPyArray] = {
    "in order": GRID,
    "as one step": GRID[None],
    "floats": GRID.astype(np.float64),
    "some missing": GRID[::3],
    "any order": RNG.permutation(GRID),
    "any order, some missing": RNG.permutation(GRID)[:18],
    "with steps": np.column_stack([np.repeat([0, 1, 2], 8), GRID]),
    "few": np.array([(0, 0, 90), (0, 1, 132), (1, 0, 20), (1, 1, 107)]),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("file", ["a.npy", "a.json", "a.pt"])
def test_rows_of_layer_expert_and_load_are_refused_unless_told(name: str, file: str, tmp_path: Path) -> None:
    path, rows = tmp_path / file, ROWS[name]
    path.write_bytes(FILES[file](rows))
    with pytest.raises(ValueError, match=r"seem to be (step, )?layer, expert and load, not loads of [34] experts"):
        read(path)
    assert read(path, index_column=False).shape[-2:] == rows.shape[-2:]


@pytest.mark.parametrize(
    "load",
    [
        np.arange(24).reshape(8, 3),
        np.arange(32).reshape(8, 4),
        RNG.integers(0, 5, (12, 4)),
        RNG.integers(0, 1000, (12, 3)),
        RNG.lognormal(3, 1, (12, 3)),
        np.zeros((5, 3)),
        np.full((2, 4), 65504, np.float16),
        np.stack([GRID, GRID + 1]),
    ],
)
def test_loads_of_three_or_four_experts_are_loads(load: NumPyArray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", load)
    np.testing.assert_array_equal(read(tmp_path / "a.npy"), load if load.ndim == 3 else load[None])


def test_nothing_left_beside_the_first_column_is_refused(tmp_path: Path) -> None:
    for content in ("5\n6\n", "e0\n5\n"):
        (tmp_path / "a.csv").write_text(content)
        with pytest.raises(ValueError, match=r"got shape|found: none"):
            read(tmp_path / "a.csv", index_column=True)


def test_index_column_is_a_truth_value_or_none(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="index_column must be True, False or None, got 'first'"):
        read(tmp_path / "a.csv", index_column="first")  # type: ignore[arg-type]
