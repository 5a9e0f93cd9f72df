"""The files of the command line: what is read, what is refused, what is written."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp.cli.errors import UserError
from eplb_xp.cli.files import read_loads
from libraries import NumPyArray

LOAD = np.array([[5, 0, 2, 9], [1, 1, 70000, 3]])  # [layers, experts]


def npy(array: Any) -> bytes:
    """The bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    """The bytes of a .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


READABLE: dict[str, tuple[str, bytes]] = {
    "npy": ("a.npy", npy(LOAD)),
    "load": ("a.npz", npz(load=LOAD, other=LOAD + 1)),
    "the only one": ("a.npz", npz(counts=LOAD)),
    "the only one beside texts": ("a.npz", npz(note="n", counts=LOAD, source="s")),
    "floats": ("a.npy", npy(LOAD.astype(np.float32))),
    "big-endian": ("a.npy", npy(LOAD.astype(">i4"))),
    "Fortran order": ("a.npy", npy(np.asfortranarray(LOAD))),
}


@pytest.mark.parametrize("name", READABLE)
def test_loads_are_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / READABLE[name][0]
    path.write_bytes(READABLE[name][1])
    load = read_loads(path).load
    np.testing.assert_array_equal(load, LOAD.astype(np.float64), strict=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "int64"])
def test_axes_before_layers_are_summed_without_overflow(dtype: str, tmp_path: Path) -> None:
    over_time = np.full((3, 100, 2, 4), 250, dtype)  # 75,000 in all: beyond uint16 and float16
    over_time[0, 0, 1, 2] = 0
    np.save(tmp_path / "a.npy", over_time)
    expected = np.full((2, 4), 75000.0)
    expected[1, 2] = 74750
    np.testing.assert_array_equal(read_loads(tmp_path / "a.npy").load, expected, strict=True)


@pytest.mark.parametrize(
    ("model", "title"),
    [
        ("Model 7B, 4 experts", "Model 7B, 4 experts"),
        ("two\nlines and \x1b[31m red", "two lines and [31m red"),
        ("long " * 100, "long " * 23 + "..."),
    ],
)
def test_title_is_the_model_in_one_line(model: str, title: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", load=LOAD, model=model)
    assert read_loads(tmp_path / "a.npz").title == title


def test_title_without_a_model_is_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", load=LOAD)
    assert read_loads(tmp_path / "a.npz").title == "a.npz"


def _with(value: float, dtype: str = "float64") -> NumPyArray:
    load: NumPyArray = LOAD.astype(dtype)
    load[1, 2] = value
    return load


COMPRESSIBLE = npz(load=np.ones((30, 40)))

REFUSED: dict[str, tuple[str, bytes, str]] = {
    "ending": ("a.csv", b"1,2", "from .npy and .npz files"),
    "no ending": ("a", npy(LOAD), "from .npy and .npz files"),
    "empty npy": ("a.npy", b"", "no .npy file of plain numbers"),
    "empty npz": ("a.npz", b"", "no .npz file of plain numbers"),
    "text": ("a.npy", b"hello world, this is text", "no .npy file of plain numbers"),
    "cut npy": ("a.npy", npy(LOAD)[:-8], "no .npy file of plain numbers"),
    "cut header": ("a.npy", npy(LOAD)[:40], "no .npy file of plain numbers"),
    "header that doesn't parse": ("a.npy", npy(LOAD).replace(b"(2, 4)", b"(2, 4@"), "no .npy file of plain numbers"),
    "more than memory": ("a.npy", npy(LOAD).replace(b"(2, 4), }     ", b"(2, 4444444), }"), "plain numbers"),
    "cut npz": ("a.npz", COMPRESSIBLE[:-50], "no .npz file of plain numbers"),
    "damaged npz": ("a.npz", COMPRESSIBLE[:400] + b"damage" + COMPRESSIBLE[406:], "no .npz file of plain numbers"),
    "objects npy": ("a.npy", npy(LOAD.astype(object)), "no .npy file of plain numbers: Object arrays cannot be loaded"),
    "objects npz": ("a.npz", npz(load=LOAD.astype(object)), "no .npz file of plain numbers: Object arrays"),
    "no array": ("a.npz", npz(), "there must be an array 'load', or only one array beside texts; arrays found: none"),
    "texts only": ("a.npz", npz(note="n"), "arrays found: none"),
    "several arrays": ("a.npz", npz(first=LOAD, second=LOAD, note="n"), "arrays found: first, second"),
    "numbers": ("a.npy", npy(np.int64(3)), "[layers, experts], perhaps with time or domain before, got shape ()"),
    "one axis": ("a.npy", npy(LOAD[0]), "[layers, experts], perhaps with time or domain before, got shape (4,)"),
    "strings": ("a.npz", npz(load=LOAD.astype(str)), "loads must be integers or real floats, got dtype <U21"),
    "complex": ("a.npy", npy(LOAD + 1j), "loads must be integers or real floats, got dtype complex128"),
    "booleans": ("a.npy", npy(LOAD > 1), "loads must be integers or real floats, got dtype bool"),
    "no layers": ("a.npy", npy(np.zeros((0, 4))), "at least one layer and one expert, got shape (0, 4)"),
    "no experts": ("a.npy", npy(np.zeros((2, 0))), "at least one layer and one expert, got shape (2, 0)"),
    "no time": ("a.npy", npy(np.zeros((0, 2, 4))), "at least one layer and one expert, got shape (0, 2, 4)"),
    "NaN": ("a.npy", npy(_with(np.nan)), "but 1 of them are negative, NaN or above the largest float32, the first nan"),
    "infinite": ("a.npy", npy(_with(np.inf)), "the first inf at [1, 2]"),
    "beyond float32": ("a.npy", npy(_with(1e39)), "the first 1e+39 at [1, 2]"),
    "negative": ("a.npy", npy(_with(-4, "int64")), "the first -4 at [1, 2]"),
    "negative in one step": ("a.npy", npy(np.stack([LOAD, _with(-4)])), "the first -4.0 at [1, 1, 2]"),
    "sum beyond float32": ("a.npy", npy(np.stack([_with(3e38), _with(3e38)])), "the first 6e+38 at [1, 2]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_file_and_the_fault(name: str, tmp_path: Path) -> None:
    file, content, fault = REFUSED[name]
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_loads(path)
    assert str(error.value).startswith(f"{path}: ")
    assert fault in str(error.value)


@pytest.mark.parametrize(
    ("make", "fault"),
    [(lambda _: None, "can't be read: No such file or directory"), (Path.mkdir, "can't be read: Is a directory")],
    ids=["missing", "folder"],
)
def test_what_is_no_file_is_refused(make: Callable[[Path], None], fault: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    make(path)
    with pytest.raises(UserError) as error:
        read_loads(path)
    assert str(error.value) == f"{path}: {fault}"
