"""eplb-xp's own traces: written and read back, and what is refused."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eplb_xp.formats.loads import recorded
from eplb_xp.formats.loads.options import Options
from eplb_xp.loads import read, save
from tests.support.libraries import NumPyArray
from tests.support.recorded import npz

LOAD: NumPyArray = np.arange(24).reshape(2, 3, 4)
SAID: dict[str, Any] = {
    "model": "a model",
    "note": "warm, ü",
    "source": "a recorder",
    "layer_numbers": [3, 4, 7],
    "top_k": 2,
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces") / "trace.npz"


@given(
    load=hnp.arrays(
        st.sampled_from(["uint8", "int16", "uint32", "int64"]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
        elements=st.integers(0, 127),
    ),
    factor=st.integers(1, 2**56),
)
def test_integers_come_back_from_the_smallest_that_hold_them(load: NumPyArray, factor: int, path: Path) -> None:
    large = load.astype(np.int64) * factor
    save(path, large)
    np.testing.assert_array_equal(read(path), large, strict=True)
    with np.load(path) as arrays:
        assert arrays["load"].dtype == np.min_scalar_type(int(large.max()))
        assert {*arrays} == {"load", "schema"}
        assert arrays["schema"] == 1


@given(
    hnp.arrays(
        st.sampled_from(["float16", "float32", "float64"]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
        elements=st.floats(0, 1000, width=16),
    )
)
def test_floats_come_back_from_float32(path: Path, load: NumPyArray) -> None:
    save(path, load)
    np.testing.assert_array_equal(read(path), load.astype(np.float64), strict=True)
    with np.load(path) as arrays:
        assert arrays["load"].dtype == np.float32


def test_what_is_said_stands_beside(path: Path) -> None:
    before = LOAD.copy()
    save(path, LOAD[:, :, ::-1], **SAID)
    np.testing.assert_array_equal(LOAD, before)
    np.testing.assert_array_equal(read(path), LOAD[:, :, ::-1])
    np.testing.assert_array_equal(read(path, steps=slice(1, None), layers=slice(2)), LOAD[1:, :2, ::-1])
    with np.load(path) as arrays:  # plain arrays and texts
        assert {name: arrays[name].tolist() for name in SAID} == SAID
    with recorded(path, Options()) as found:
        assert found.fields is not None
        assert found.fields._asdict() == {**SAID, "layer_numbers": (3, 4, 7)}


def test_lists_will_do(path: Path) -> None:
    save(str(path), LOAD.tolist(), top_k=np.int32(2), layer_numbers=np.array([1, 2, 0]))  # type: ignore[arg-type]
    np.testing.assert_array_equal(read(path), LOAD)


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "one step": ({"trace": LOAD[0]}, "trace must be [steps, layers, experts], none of them 0, got shape (3, 4)"),
    "empty": ({"trace": LOAD[:0]}, "none of them 0, got shape (0, 3, 4)"),
    "truth": ({"trace": LOAD > 3}, "loads must be integers or real floats, got dtype bool"),
    "negative": (
        {"trace": LOAD - 1},
        "1 of them are negative, NaN or above 9.223e+18, the first -1 in step 0, layer 0",
    ),
    "NaN": ({"trace": LOAD * np.nan}, "loads are token counts, but 12 of them are negative, NaN or above 3.403e+38"),
    "number as a model": ({"model": 3}, "model must be one text, got shape () of int64"),
    "texts": ({"note": ["a", "b"]}, "note must be one text, got shape (2,) of <U1"),
    "long text": ({"note": "a" * 2**20}, "note takes 4194304 bytes, and what a trace says beside its loads at most"),
    "few numbers": ({"layer_numbers": [1, 2]}, "layer_numbers must be 3 whole numbers, one for each layer, got shape"),
    "broken numbers": ({"layer_numbers": [1, 2.5, 3]}, "one for each layer, got shape (3,) of float64"),
    "ragged numbers": ({"layer_numbers": [[1], [2, 3], 4]}, "layer_numbers must not be lists of different lengths"),
    "numbers twice": ({"layer_numbers": [1, 2, 2]}, "got 2 different ones of 3, from 1 to 2"),
    "negative numbers": ({"layer_numbers": [-1, 2, 3]}, "different numbers from 0, below 1000000, got 3 different"),
    "no top_k": ({"top_k": 0}, "top_k must be from 1 to the 4 experts, got 0"),
    "large top_k": ({"top_k": 5}, "top_k must be from 1 to the 4 experts, got 5"),
    "true top_k": ({"top_k": True}, "top_k must be one whole number, got shape () of bool"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_does_not_fit_is_not_written(name: str, tmp_path: Path) -> None:
    changed, fault = UNFIT[name]
    given: dict[str, Any] = {"trace": LOAD, **changed}
    with pytest.raises(ValueError, match=re.escape(fault)):
        save(tmp_path / "a.npz", **given)
    assert not [*tmp_path.iterdir()]


def test_files_have_their_ending(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a trace's file must end in \.npz, got .*a\.npy"):
        save(tmp_path / "a.npy", LOAD)
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "no" / "a.npz", LOAD)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "newer": ({"schema": 2, "load": LOAD}, "a trace of schema 2, and eplb-xp "),
    "newer, of another kind": ({"schema": 7, "layers": {}}, " reads up to 1: a newer eplb-xp reads it"),
    "no schema": ({"schema": 0, "load": LOAD}, "a trace's schema must be 1, got 0"),
    "schema of text": ({"schema": "1", "load": LOAD}, "schema must be one whole number, got shape () of <U1"),
    "schemas": ({"schema": [1, 1], "load": LOAD}, "schema must be one whole number, got shape (2,) of int64"),
    "no load": ({"schema": 1, "loads": LOAD}, "a trace of schema 1 has no field loads; found: schema, loads; known: "),
    "nothing": ({"schema": 1}, "a trace of schema 1 has an array load [steps, layers, experts]; found: schema; known"),
    "unknown": ({"schema": 1, "load": LOAD, "layer_number": 1}, "schema 1 has no field layer_number; found: schema, l"),
    "one step": ({"schema": 1, "load": LOAD[0]}, "load must be [steps, layers, experts], none of them 0, of integers"),
    "no steps": ({"schema": 1, "load": LOAD[:0]}, "or floats, got shape (0, 3, 4) of int64"),
    "complex": ({"schema": 1, "load": LOAD * 1j}, "or floats, got shape (2, 3, 4) of complex128"),
    "truth": ({"schema": 1, "load": LOAD > 1}, "or floats, got shape (2, 3, 4) of bool"),
    "negative": ({"schema": 1, "load": -LOAD}, "11 of them are negative, NaN or above"),
    "model": ({"schema": 1, "load": LOAD, "model": 3}, "model must be one text, got shape () of int64"),
    "numbers": ({"schema": 1, "load": LOAD, "layer_numbers": [1]}, "layer_numbers must be 3 whole numbers, one for"),
    "top_k": ({"schema": 1, "load": LOAD, "top_k": 9}, "top_k must be from 1 to the 4 experts, got 9"),
    "large": ({"schema": 1, "load": LOAD, "note": np.zeros(2**18)}, "note takes 2097152 bytes, and what a trace says"),
    "objects": ({"schema": np.array(1, object), "load": LOAD}, "Object arrays cannot be loaded"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_trace_is_refused(name: str, tmp_path: Path) -> None:
    content, fault = REFUSED[name]
    (tmp_path / "a.npz").write_bytes(npz(**content))
    with pytest.raises(ValueError, match=r"a\.npz: .*" + re.escape(fault)):
        read(tmp_path / "a.npz")


def test_plain_archives_stay_readable(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(npz(load=LOAD, model="m", licence="l", axis0="step"))
    np.testing.assert_array_equal(read(tmp_path / "a.npz"), LOAD)


def test_traces_of_ranks_are_summed(tmp_path: Path) -> None:
    for rank in range(2):
        save(tmp_path / f"{rank}.npz", LOAD + rank, model="m")
    np.testing.assert_array_equal(read(tmp_path), 2 * LOAD + 1)
