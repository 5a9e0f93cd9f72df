"""Recorded loads: what is refused, in which words."""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp.loads import read
from tests.support.recorded import LOAD, LONG, READABLE, RECORD, TENSOR, archive, bad, compressed, npy, npz, pt, table


class Spy:
    """Leaves a mark where it is unpickled."""

    hits = 0

    def __reduce__(self) -> Any:
        return _hit, ()


def _hit() -> None:
    Spy.hits += 1


COMPRESSIBLE = npz(load=np.ones((30, 40)))
TENSORS = "a tensor 'load' or 'logical_count'"

REFUSED: dict[str, tuple[str, bytes, str]] = {
    "unknown": ("a.npy", b"\0\1\2 and so on", "it begins with b'\\x00\\x01\\x02 and ', as no known file does"),
    "empty": ("a.npy", b"", "the file is empty"),
    # .npy and .npz
    "text": ("a.npy", b"hello world, this is text", "columns must be layer, expert, load and perhaps step"),
    "cut npy": ("a.npy", npy(LOAD)[:-8], "no .npy file of plain numbers"),
    "cut header": ("a.npy", npy(LOAD)[:40], "no .npy file of plain numbers"),
    "header that doesn't parse": ("a.npy", npy(LOAD).replace(b"(2, 4)", b"(2, 4@"), "no .npy file of plain numbers"),
    "more than memory": ("a.npy", npy(LOAD).replace(b"(2, 4), }     ", b"(2, 4444444), }"), "plain numbers"),
    "cut npz": ("a.npz", COMPRESSIBLE[:-50], "no .npz file of plain numbers"),
    "damaged npz": ("a.npz", COMPRESSIBLE[:400] + b"damage" + COMPRESSIBLE[406:], "no .npz file of plain numbers"),
    "objects npy": ("a.npy", npy(LOAD.astype(object)), "no .npy file of plain numbers: Object arrays cannot be loaded"),
    "objects npz": ("a.npz", npz(load=LOAD.astype(object)), "no .npz file of plain numbers: Object arrays"),
    "no array": ("a.npz", npz(), "an array 'load' or 'logical_count', or only one array beside texts; found: none"),
    "texts only": ("a.npz", npz(note="n"), "found: none"),
    "several arrays": ("a.npz", npz(first=LOAD, second=LOAD, note="n"), "found: first, second"),
    "numbers": ("a.npy", npy(np.int64(3)), "[layers, experts], perhaps with time or domain before, got shape ()"),
    "one axis": ("a.npy", npy(LOAD[0]), "[layers, experts], perhaps with time or domain before, got shape (4,)"),
    "strings": ("a.npz", npz(load=LOAD.astype(str)), "loads must be integers or real floats, got dtype <U21"),
    "complex": ("a.npy", npy(LOAD + 1j), "loads must be integers or real floats, got dtype complex128"),
    "booleans": ("a.npy", npy(LOAD > 1), "loads must be integers or real floats, got dtype bool"),
    "records": ("a.npy", npy(np.zeros((2, 2), "i4,f8")), "loads must be integers or real floats, got dtype"),
    "no layers": ("a.npy", npy(np.zeros((0, 4))), "at least one step, layer and expert, got shape (0, 4)"),
    "no experts": ("a.npy", npy(np.zeros((2, 0))), "at least one step, layer and expert, got shape (2, 0)"),
    "no time": ("a.npy", npy(np.zeros((0, 2, 4))), "at least one step, layer and expert, got shape (0, 2, 4)"),
    # values
    "NaN": (
        "a.npy",
        npy(bad(np.nan)),
        "but 1 of them are negative, NaN or above 3.403e+38, the first nan in step 0",
    ),
    "infinite": ("a.npy", npy(bad(np.inf)), "the first inf in step 0, layer 1, expert 2"),
    "infinite float16": ("a.npy", npy(np.full((1, 2), np.inf, np.float16)), "but 2 of them are"),
    "beyond float32": ("a.npy", npy(bad(1e39)), "the first 1e+39 in step 0, layer 1, expert 2"),
    "negative": ("a.npy", npy(bad(-4, "int64")), "the first -4 in step 0, layer 1, expert 2"),
    "negative in one step": (
        "a.npy",
        npy(np.stack([LOAD, bad(-4)])),
        "the first -4.0 in step 1, layer 1, expert 2",
    ),
    "beyond int64": ("a.npy", npy(bad(2**63, "uint64")), "above 9.223e+18, the first 9223372036854775808"),
    # .json
    "no json": ("a.json", b"[[1, 2]", "no .json file of plain numbers: Expecting ',' delimiter"),
    "bytes": ("a.json", b"[[1, 2]]\xff", "no .json file of plain numbers: 'utf-8' codec"),
    "deep": ("a.json", b"[" * 100_000 + b"]" * 100_000, "no .json file of plain numbers"),
    "65 axes": ("a.json", b"[" * 65 + b"1" + b"]" * 65, "no .json file of plain numbers"),
    "json number": ("a.json", b'{"load": 3}', "nested lists, [layers, experts] or [steps, layers, experts], got 3"),
    "json without loads": ("a.json", b'{"a": 1, "b": 2}', "there must be 'load' or 'logical_count'; found: a, b"),
    "json load of objects": ("a.json", b'{"load": {"0": [1, 2]}}', "must be nested lists, [layers, experts] or [steps"),
    "one list": ("a.json", b"[1, 2]", "[layers, experts], perhaps with time or domain before, got shape (2,)"),
    "no lists": ("a.json", b"[]", "[layers, experts], perhaps with time or domain before, got shape (0,)"),
    "ragged": ("a.json", b"[[1, 2], [3]]", "rows must be of one length, but [0] has shape (2,) and [1] (1,)"),
    "ragged step": ("a.json", b"[[[1, 2], [3, 4]], [[5, 6], [7]]]", "but [1][0] has shape (2,) and [1][1] (1,)"),
    "deeper row": ("a.json", b"[[1, 2], [[3], [4]]]", "but [0] has shape (2,) and [1] (2, 1)"),
    "number beside lists": ("a.json", b"[[1, 2], 3]", "all lists must be equally deep, got 3 at [1]"),
    "text in json": ("a.json", b'[[1, "2"]]', 'loads must be numbers, got "2" at [0][1]'),
    "truth in json": ("a.json", b"[[true, 1]]", "loads must be numbers, got true at [0][0]"),
    "null in json": ("a.json", b"[[null, 1]]", "loads must be numbers, got null at [0][0]"),
    "NaN in json": ("a.json", b"[[1, NaN]]", "the first nan in step 0, layer 0, expert 1"),
    "large integer": ("a.json", b"[[1, 1" + b"0" * 39 + b"]]", "the first 1e+39 in step 0, layer 0, expert 1"),
    "larger integer": ("a.json", b"[[1, 1" + b"0" * 400 + b"]]", "no .json file of plain numbers: int too large"),
    # .csv
    "empty csv": ("a.csv", b"\n\n", "the table is empty"),
    "header only": ("a.csv", b"e0,e1\n", "got shape (0,)"),
    "ragged csv": ("a.csv", b"1,2,3\n\n4,5\n", "of one length, but the first has 3 cells and line 3 has 2"),
    "decimal commas": ("a.csv", b"1,5;2\n3;4\n", "by commas, semicolons or tabs; found: 1,5, 2"),
    "spaces": ("a.csv", b"1 2\n3 4\n", "parted by commas, semicolons or tabs; found: 1 2"),
    "text in csv": ("a.csv", b"1,2\n3,x\n", "cells must be numbers, separated by commas, got 'x' at line 2"),
    "text in the first row": ("a.csv", b"1,x\n3,4\n", "cells must be numbers, separated by commas, got 'x' at line 1"),
    "row numbers": ("a.csv", b",e0,e1\n0,5,6\n1,7,8\n", "no name, or one of row numbers: , e0, e1; pandas"),
    "numbered columns": ("a.csv", b"0,1,2\n5,6,7\n", "the first row counts 0, 1, ...: if it is a header, leave it out"),
    "columns from 1": ("a.csv", b"1,2,3,4,5,6,7,8\n5,6,7,8,9,9,9,9\n", "the first row counts 1, 2, ...: if it is a"),
    "negative in csv": ("a.csv", b"1,2\n3,-4\n", "the first -4 in step 0, layer 1, expert 1"),
    "NaN in csv": ("a.csv", b"1,2\n3,nan\n", "the first nan in step 0, layer 1, expert 1"),
    "bytes in csv": ("a.csv", b"1,2\n\xff,3\n", "no .csv file of plain numbers: 'utf-8' codec"),
    "zero byte in csv": ("a.csv", b"1,2\n\0,3\n", ""),
    "open quote": ("a.csv", b'1,2\n"3,4\n', "no .csv file of plain numbers: unexpected end of data"),
    "columns": (
        "a.csv",
        b"layer,tokens\n0,1\n",
        "columns must be layer, expert, load and perhaps step; found: layer, t",
    ),
    "unknown column": ("a.csv", b"layer,expert,load,rank\n0,0,1,1\n", "found: layer, expert, load, rank"),
    "unknown header": (
        "a.csv",
        b"foo,bar,baz\n5,6,7\n",
        "or expert_0, expert_1, ..., all of them, perhaps after layer",
    ),
    "twice a column": ("a.csv", b"layer,expert,load,load\n0,0,1,1\n", "found: layer, expert, load, load"),
    "cells": ("a.csv", b"layer,expert,load\n0,0,1\n0,1\n", "there are 3 columns, but line 3 has 2 cells"),
    "broken layer": ("a.csv", b"layer,expert,load\n0.5,0,1\n", "layer must be a number from 0, got '0.5' at line 2"),
    "negative expert": ("a.csv", b"layer,expert,load\n0,-1,1\n", "expert must be a number from 0, got '-1' at line 2"),
    "text as load": (
        "a.csv",
        b"layer,expert,load\n0,0,\n",
        "cells must be numbers, separated by commas, got '' at line 2",
    ),
    "twice": (
        "a.csv",
        table("layer,expert,load", *LONG, (1, 2, 3)),
        "step 0, layer 1, expert 2 is there twice, again at line 10",
    ),
    "far away": (
        "a.csv",
        b"layer,expert,load\n0,999999999999,1\n",
        "make 1 x 1 x 1000000000000 loads, too many for the 1 that are there",
    ),
    "long without rows": ("a.csv", b"layer,expert,load\n", "at least one step, layer and expert, got shape (0, 0, 0)"),
    # .pt
    "cut pt": ("a.pt", pt(RECORD)[:-30], "no .pt file of"),
    "cut pt before archives": ("a.pt", pt(TENSOR, _use_new_zipfile_serialization=False)[:-5], "no .pt file of"),
    "another archive": ("a.pt", archive({"a.txt": b"1,2"}), "only one array beside texts; found: none"),
    "compressed": ("a.pt", compressed(pt(TENSOR)), "is compressed, and torch.save compresses nothing"),
    "pickle": ("a.pt", pickle.dumps(LOAD.tolist()), "no .pt file of"),
    "code": ("a.pt", pt({"load": Spy()}), "no .pt file of tensors and plain values alone; others could run code"),
    "code before archives": ("a.pt", pt(Spy(), _use_new_zipfile_serialization=False), "others could run code"),
    "pickled code": ("a.pt", pickle.dumps(Spy()), "others could run code"),
    "protocol of pickles": ("a.pt", pt(RECORD, pickle_protocol=4), "it is a pickle of protocol 4, and torch.save"),
    "protocol before archives": (
        "a.pt",
        pt(TENSOR, pickle_protocol=5, _use_new_zipfile_serialization=False),
        "it is a pickle of protocol 5, and torch.save writes protocol 2",
    ),
    "torch script": ("a.pt", archive({"m/constants.pkl": b"", "m/data.pkl": b""}), "it is an archive of TorchScript"),
    "pickled code npy": ("a.npy", pickle.dumps(Spy()), "others could run code"),
    "details": ("a.pt", pt({"records": [], "last_map": TENSOR}), f"there must be {TENSORS}; found: records, last_map"),
    "list in pt": ("a.pt", pt([TENSOR]), "a tensor, or a dict with one under 'load' or 'logical_count', got list"),
    "list as load": ("a.pt", pt({"load": [[1, 2]]}), "under 'load' or 'logical_count', got list"),
    "sparse": ("a.pt", pt(TENSOR.to_sparse()), "no .pt file of plain numbers"),
    "meta": ("a.pt", pt(TENSOR.to("meta")), "no .pt file of plain numbers"),
    "complex pt": ("a.pt", pt(TENSOR + 1j), "loads must be integers or real floats, got dtype complex"),
    "booleans pt": ("a.pt", pt(TENSOR > 1), "loads must be integers or real floats, got dtype bool"),
    "one axis pt": ("a.pt", pt(TENSOR[0]), "[layers, experts], perhaps with time or domain before, got shape (4,)"),
    "negative pt": ("a.pt", pt({"logical_count": -TENSOR}), "the first -5 in step 0, layer 0, expert 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_file_and_the_fault(name: str, tmp_path: Path) -> None:
    file, content, fault = REFUSED[name]
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:  # noqa: PT011 # the message is looked at below
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert fault in str(error.value)
    assert "weights_only" not in str(error.value)  # torch's own advice is to run the code
    assert Spy.hits == 0


@pytest.mark.parametrize("file", ["a.npy", "a.npz", "a.json", "a.csv", "a.pt"])
def test_damage_ends_in_a_value_error(file: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / file
    whole = dict(READABLE.values())[file]
    for _ in range(200):
        content = bytearray(whole)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.integers(256)
        path.write_bytes(content[: rng.integers(len(content) // 2, 2 * len(content))])
        try:
            load = read(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017 # others pass
        else:
            assert load.ndim == 3


@pytest.mark.parametrize("ending", [".npy", ".npz", ".json", ".csv", ".pt"])
def test_what_is_no_file_is_an_os_error(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    with pytest.raises(FileNotFoundError) as raised:
        read(path)
    assert raised.value.filename in (path, str(path))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the folder holds no files; those of all ranks are summed"):
        read(tmp_path)


def test_without_torch_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pt").write_bytes(pt(TENSOR))
    import eplb_xp.backends.tensors  # noqa: PLC0415 # whose attribute it becomes

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "eplb_xp.backends.tensors.files", raising=False)
    monkeypatch.delattr(eplb_xp.backends.tensors, "files", raising=False)
    with pytest.raises(ValueError, match=r"a.pt: .pt files take PyTorch.*pip install \"eplb-xp\[torch\]\""):
        read(tmp_path / "a.pt")
