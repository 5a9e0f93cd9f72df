"""Files that claim, run or hide something: a sentence, and no memory beyond what they hold."""

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eplb_xp.formats import placements
from eplb_xp.formats.limits import LARGE
from eplb_xp.loads import read
from tests.support.dumps import safetensors
from tests.support.recorded import archive, compressed, npy, npz, pt

MEBIBYTE = 2**20
HUGE = "(1000000, 1000, 1000)"  # 8 TB


class Spy:
    """Leaves a mark where it is unpickled."""

    hits = 0

    def __reduce__(self) -> Any:
        return _hit, ()


def _hit() -> None:
    Spy.hits += 1


@contextmanager
def at_most(mebibytes: int) -> Iterator[None]:
    """No more memory of Python's and NumPy's at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < mebibytes * MEBIBYTE
    finally:
        tracemalloc.stop()


def claiming(shape: str) -> bytes:
    """A .npy that says so and has 16 bytes."""
    text = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(16)


def bomb(size: int) -> bytes:
    """An archive whose array is so many zeros, in a thousandth of them."""
    head = claiming(f"(1, 1, {size})")[:-16]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made, made.open("load.npy", "w", force_zip64=True) as part:
        part.write(head)
        for _ in range(size * 8 // MEBIBYTE):
            part.write(bytes(MEBIBYTE))
    return file.getvalue()


def pickled(content: Any, protocol: int = 4) -> bytes:
    """A .npy of an object with another pickle behind its header."""
    head = npy(np.array({}, object))
    return head[: head.index(b"\n") + 1] + (content if isinstance(content, bytes) else pickle.dumps(content, protocol))


def array_of(shape: tuple[int, ...], data: bytes, dtype: bytes = b"\x8c\x02i8") -> bytes:
    """What NumPy pickles for an array, of any shape and bytes."""
    made = b"\x80\x04cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR(K\x01"
    sizes = b"".join(b"\x8a\x08" + struct.pack("<q", size) for size in shape)
    made += (
        b"(" + sizes + b"tcnumpy\ndtype\n(" + dtype + b"\x89\x88tR\x89B" + struct.pack("<I", len(data)) + data + b"tb."
    )
    return made


def with_pickle(made: bytes, old: bytes, new: bytes) -> bytes:
    """A .pt whose pickle says something else."""
    parts = zipfile.ZipFile(io.BytesIO(made))
    changed = {name: parts.read(name) for name in parts.namelist()}
    (name,) = (name for name in changed if name.endswith("data.pkl"))
    assert old in changed[name]
    return archive({**changed, name: changed[name].replace(old, new)})


def tensor_of(shape: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """A .pt whose tensor has one number and shows it many times."""
    return pt({"load": torch.ones(1).as_strided(shape, stride)})


TWELVE = torch.arange(12).reshape(4, 3)
SIZES = b"J\x00\x00\x00\x70K\x40"  # 1,879,048,192 x 64
BEFORE_ARCHIVES = pt(TWELVE, _use_new_zipfile_serialization=False)
HEADER = json.dumps({"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}}).encode()
RANKS = b"[dump activation] decode step 0 in rank 99999 for layer 9999 get 1 experts data: 1\n"

CLAIMS: dict[str, tuple[bytes, str]] = {
    "npy": (claiming(HUGE), "takes 8000000000000 bytes, and 16 are there"),
    "npy beyond 64 bits": (claiming("(10000000000, 10000000000)"), "bytes, and 16 are there"),
    "npy negative": (claiming("(-1, 2)"), "a shape can't be negative"),
    "npz": (archive({"load.npy": claiming(HUGE)}), "takes 8000000000000 bytes, and 16 are there"),
    "npz, another's": (
        archive({"loads.npy": claiming(HUGE), "layer_numbers.npy": b"", "forward_counts.npy": b""}),
        "bytes",
    ),
    "npz, long header": (
        compressed(archive({"load.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(2**25)})),
        "a header of 2147483647 bytes, and headers of arrays have some hundred",
    ),
    "tensor, more than memory": (BEFORE_ARCHIVES.replace(b"K\x04K\x03", SIZES), "no .pt file of plain numbers"),
    "tensor, more than its storage": (
        with_pickle(pt(TWELVE), b"K\x04K\x03", SIZES),
        "no .pt file of plain numbers",
    ),
    "tensor of one number": (tensor_of((10**5, 10**5), (0, 0)), "has 10000000000 values, and there are 1"),
    "safetensors": (struct.pack("<Q", len(HEADER)) + HEADER, "no .safetensors file of plain numbers"),
    "safetensors, header": (struct.pack("<Q", 10**12) + b"{}", ""),
    "far layer": (b'{"layer_99999": [' + b"0, " * 400 + b"0]}", "too many for the 401 that are there"),
    "far rank": (RANKS, "layer 9999 and rank 99999 of 1 experts make more than 16777216 loads"),
    "far expert": (b"layer,expert,load\n0,99999999,1\n", "too many for the 1 that are there"),
    "pickled array": (pickled(array_of((10**6, 10**6), b"12345678")), "has 8 bytes"),
    "pickled negative": (pickled(array_of((-1, -1), b"12345678")), "has 8 bytes"),
    "pickled memo": (pickled(b"\x80\x04}r\xff\xff\xff\x7f."), "its pickle counts more values than it has bytes"),
    "pickled bytes": (pickled(b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"."), "no .npy file of plain numbers"),
    "pickled text": (pickled(b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"."), "no .npy file of plain numbers"),
    "deep": (b"[" * 10**5, "no .json file of plain numbers"),
    "deep records": (b'{"per_layer_stats": ' + b"[" * 10**5, "no .json file of plain numbers"),
    "digits": (b"[[1" + b"0" * 10**5 + b"]]", "no .json file of plain numbers"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_claimed_is_not_believed(name: str, tmp_path: Path) -> None:
    content, fault = CLAIMS[name]
    (tmp_path / "a").write_bytes(content)
    with at_most(16), pytest.raises(ValueError, match=f"^{tmp_path}/a: ") as error:
        read(tmp_path / "a")
    assert fault in str(error.value)
    with at_most(16), pytest.raises(ValueError, match=f"^{tmp_path}/a: "):
        placements.read(tmp_path / "a")


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    size = LARGE // 8 + MEBIBYTE
    (tmp_path / "a").write_bytes(bomb(size))
    assert (tmp_path / "a").stat().st_size < MEBIBYTE
    with at_most(8), pytest.raises(ValueError, match=r"load\.npy says that it is \d+ bytes, of \d+ compressed ones"):
        read(tmp_path / "a")


def test_idle_recordings_are_no_bombs(tmp_path: Path) -> None:
    """Steps of zeros compress as well as a bomb does."""
    np.savez_compressed(tmp_path / "a.npz", load=np.zeros((400, 58, 256), np.int64))
    with at_most(8):  # of 47, a step at a time
        assert read(tmp_path / "a.npz", sum_steps=True).shape == (58, 256)


@pytest.mark.parametrize("save", [np.save, lambda path, load: np.savez_compressed(path, load=load)])
def test_memory_is_that_of_a_step(save: Callable[[Path, Any], None], tmp_path: Path) -> None:
    load = np.random.default_rng(0).integers(0, 99, (200, 58, 256), np.int32)
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, load)
    with at_most(2):  # of 12
        found = read(path, sum_steps=True)
    np.testing.assert_array_equal(found, load.sum(axis=0))


def test_a_history_is_parsed_step_by_step(tmp_path: Path) -> None:
    step = {"logical_expert_load": np.arange(58 * 256).reshape(58, 256).tolist()}
    (tmp_path / "a").write_text(json.dumps({"load_history": [step] * 20}))
    with at_most(8):  # Python's numbers of all steps are 13
        found = read(tmp_path / "a", sum_steps=True)
    assert found[1, 0] == 20 * 256


EVIL: dict[str, bytes] = {
    "object": pickled(np.array({"logical_count": Spy()}, object)),
    "protocol 2": pickled(np.array({"logical_count": Spy()}, object), protocol=2),
    "object alone": pickled(Spy()),
    "os.system": pickled(b"cos\nsystem\n(S'true'\ntR."),
    "eval": pickled(b"\x80\x04cbuiltins\neval\n\x8c\x01a\x85R."),
    "a stand-in's attribute": pickled(b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93."),
    "NumPy's own loader": pickled(b"\x80\x04cnumpy\nload\n\x8c\x01a\x85R."),
    "state of a class": pickled(b"\x80\x04cnumpy\ndtype\n}\x8c\x04name\x8c\x01xsb."),
    "list of objects": npy(np.array([Spy()], object)),
    "archive": npz(load=np.array([[Spy()]], object)),
    "tensor": pt({"load": Spy()}),
    "records": pt({"records": [Spy()], "last_physical_to_logical_map": torch.zeros((1, 1))}),
    "pickle": pickle.dumps(Spy()),
    "YAML": b"num_slots: !!python/object/apply:tests.formats.test_hostile._hit []\n",
}


@pytest.mark.parametrize("name", EVIL)
def test_nothing_runs(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(EVIL[name])
    for reads in (read, placements.read):
        with pytest.raises(ValueError, match=f"^{tmp_path}/a: "):
            reads(tmp_path / "a")
    assert Spy.hits == 0


def test_the_spy_sees_what_runs() -> None:
    pickle.loads(pickle.dumps(Spy()))  # noqa: S301 # ours
    assert Spy.hits == 1
    Spy.hits = 0


VALUES: dict[str, tuple[bytes, str]] = {
    "NaN": (safetensors(x=np.array([[1.0, np.nan]])), "the first nan in step 0, layer 0, expert 1"),
    "infinite": (b'{"layer_0": [1, Infinity]}', "the first inf in step 0"),
    "negative": (npy(np.array({"logical_count": np.array([[1, -2]])}, object)), "the first -2 in step 0"),
    "negative in a history": (b'{"load_history": [{"logical_expert_load": [[1, -3]]}]}', "the first -3 in step 0"),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_no_count_is_is_named(name: str, tmp_path: Path) -> None:
    content, fault = VALUES[name]
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=fault):
        read(tmp_path / "a")
