"""Recorded loads: what is read from which file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from eplb_xp.loads import read
from tests.support.recorded import LOAD, READABLE, TENSOR, npy, pt


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


def test_a_warning_of_torch_is_not_silenced(tmp_path: Path) -> None:
    """The filters that would do it are those of all threads."""
    (tmp_path / "a.pt").write_bytes(pt(TENSOR, pickle_protocol=3))
    with pytest.warns(UserWarning, match="pickle protocol 3"):
        np.testing.assert_array_equal(read(tmp_path / "a.pt"), LOAD[None], strict=True)


def test_reading_other_files_imports_no_torch(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", LOAD)
    code = "import sys; from eplb_xp.loads import read; read(sys.argv[1]); print('torch' in sys.modules)"
    alone = [sys.executable, "-c", code, str(tmp_path / "a.npy")]
    run = subprocess.run(alone, check=True, capture_output=True, text=True)  # noqa: S603 # our own code
    assert run.stdout.strip() == "False"
