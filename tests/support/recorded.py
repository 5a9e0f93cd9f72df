"""Files of loads, for the tests of reading."""

import io
import json
import zipfile
from typing import Any

import numpy as np
import torch

from tests.support.libraries import NumPyArray

LOAD = np.array([[5, 0, 2, 9], [1, 1, 70016, 3]])  # [layers, experts]
STEPS = np.stack([LOAD, LOAD + 1, LOAD * 2])


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


def pt(content: Any, **options: Any) -> bytes:
    """The bytes of a .pt file."""
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def archive(files: dict[str, bytes]) -> bytes:
    """The bytes of a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return file.getvalue()


def compressed(made: bytes) -> bytes:
    """The same archive, its parts compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return file.getvalue()


def table(header: str, *rows: tuple[float, ...]) -> bytes:
    """The bytes of a .csv file."""
    return "\n".join([header, *(",".join(map(str, row)) for row in rows), ""]).encode()


LONG = [(layer, expert, LOAD[layer, expert]) for layer in range(2) for expert in range(4)]
TENSOR = torch.asarray(LOAD)
WIDE = table("", *map(tuple, LOAD))[1:]
# As SGLang's recorder writes it: counts of buffered steps, and what else it says.
RECORD = {"rank": 0, "logical_count": TENSOR[None].int(), "average_utilization_rate_over_window": None}

READABLE: dict[str, tuple[str, bytes]] = {
    "npy": ("a.npy", npy(LOAD)),
    "big-endian": ("a.npy", npy(LOAD.astype(">i4"))),
    "Fortran order": ("a.npy", npy(np.asfortranarray(LOAD))),
    "uint64": ("a.npy", npy(LOAD.astype(np.uint64))),
    "npz load": ("a.npz", npz(load=LOAD, logical_count=LOAD + 1, other=LOAD + 1)),
    "npz logical_count": ("a.npz", npz(logical_count=LOAD, other=LOAD + 1)),
    "npz the only one": ("a.npz", npz(counts=LOAD)),
    "npz the only one beside texts": ("a.npz", npz(note="n", counts=LOAD, source="s")),
    "json lists": ("a.json", json.dumps(LOAD.tolist()).encode()),
    "json steps": ("a.json", json.dumps([LOAD.tolist()]).encode()),
    "json load": ("a.json", json.dumps({"model": "m", "load": LOAD.tolist()}).encode()),
    "json logical_count": ("a.json", json.dumps({"logical_count": LOAD.tolist()}).encode("utf-16")),
    "csv": ("a.csv", WIDE),
    "csv with a header": ("a.csv", b"e0,e1,e2,e3\n" + WIDE),
    "csv from a spreadsheet": ("a.csv", b"\xef\xbb\xbf" + WIDE.replace(b"\n", b"\r\n")),
    "csv with spaces and quotes": ("a.csv", b' 5, 0 ,2,"9"\n\n1,1,70016,3'),
    "csv long": ("a.csv", table("layer,expert,load", *LONG)),
    "csv long, any order": ("a.csv", table("Load, Expert,LAYER,step", *((c, b, a, 0) for a, b, c in LONG[::-1]))),
    "pt tensor": ("a.pt", pt(TENSOR)),
    "pt before archives": ("a.pt", pt(TENSOR, _use_new_zipfile_serialization=False)),
    "pt record": ("a.pt", pt(RECORD)),
    "pt load": ("a.pt", pt({"load": TENSOR.T.contiguous().T})),
    "pt parameter": ("a.pt", pt({"load": torch.nn.Parameter(TENSOR, requires_grad=False)})),
}


def bad(value: float, dtype: str = "float64") -> NumPyArray:
    """The loads, one of them of this value."""
    load: NumPyArray = LOAD.astype(dtype)
    load[1, 2] = value
    return load
