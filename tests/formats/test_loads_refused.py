"""Files of loads that are refused, and what they are refused with."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from eplb_xp.loads import read
from tests.support.dumps import (
    LAYERS,
    OF_RANKS,
    PHY2LOG,
    SAMPLES,
    TOTAL,
    lines,
    megatron,
    passes,
    safetensors,
    write,
)
from tests.support.recorded import npy, npz, pt

STATS = {"record_type": "eplb_load_stats", "version": 1}
COUNT = {"forward_pass_id": 1, "rank": 0, "global_physical_count": torch.ones((1, 2))}
LATER = {"forward_pass_id": 2, "rank": 1}
MAP = {"last_physical_to_logical_map": torch.asarray([[0, 1]])}
ONE_TENSOR = safetensors(**{"1_0": np.ones(2, np.int32)})
META = {"meta_info.json": b'{"num_experts": 2}'}
MCORE = {"loads": np.ones((1, 2, 3), np.int32), "layer_numbers": np.array([0]), "forward_counts": np.array([2])}
LINE = "[dump activation] decode step 0 in rank 0 for layer {} get {} experts data: {}\n"

REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "rank twice": (
        {"a.pt": passes(1), "b.pt": passes(1)},
        "rank 1 is there 2 times, and is to be summed once: a.pt",
    ),
    "rank missing": (
        {"a.npz": megatron(1), "b.npz": npz(**{**MCORE, "global_rank": np.int32(2)})},
        "2 ranks are to be summed, and the folder lacks 0",
    ),
    "ranks not there": (
        {"meta_info.json": b'{"num_experts": 2, "ep_size": 2}', "rank1.safetensors": ONE_TENSOR},
        "2 ranks are to be summed, and the folder lacks 0",
    ),
    "no step in common": (
        {"a.pt": pt({"records": [COUNT], **MAP}), "b.pt": pt({"records": [{**COUNT, **LATER}], **MAP})},
        "no step is in all of the 2 files of ranks: a.pt, b.pt",
    ),
    "negative on one rank": (
        {"a.json": b'{"layer_0": [5, -1]}', "b.json": b'{"layer_0": [5, 9]}'},
        "a.json has counts that are negative or NaN, the first -1 in layer 0, expert 1",
    ),
    "one damaged rank": (
        {"a.json": b'{"layer_0": [5, 1]}', "b.json": b'{"layer_0": [5, 9}'},
        "b.json: no .json file of plain numbers: Expecting ',' delimiter",
    ),
    "mixed": ({"a.pt": passes(0), "b.csv": b"1,2\n"}, "in one format, and these are sglang-passes, table"),
    "no header": ({"a.csv": b"1,2\n", "b.csv": b"3,4\n"}, "tables of ranks must have a header"),
    "no records": ({"a.pt": pt({"records": [], **MAP})}, "records must be a list of forward passes, at least one"),
    "record of text": ({"a.pt": pt({"records": ["a"], **MAP})}, "records[0] must have forward_pass_id, rank and"),
    "two ranks in a file": (
        {"a.pt": pt({"records": [COUNT, {**COUNT, "rank": 1}], **MAP})},
        "of one rank, got those",
    ),
    "map of other slots": (
        {"a.pt": pt({"records": [COUNT], "last_physical_to_logical_map": torch.asarray([[0, 1, 0]])})},
        "global_physical_count has shape (1, 2), and its map of slots (1, 3)",
    ),
    "map beyond its slots": (
        {"a.pt": pt({"records": [COUNT], "last_physical_to_logical_map": torch.asarray([[0, 2**40]])})},
        "must hold experts from 0, fewer than the 2 slots, or -1, got numbers from 0 to 1099511627776",
    ),
    "NaN in slots": (
        {"a.pt": pt({"records": [{**COUNT, "global_physical_count": torch.asarray([[1.0, torch.nan]])}], **MAP})},
        "global_physical_count has counts that are negative or NaN, the first nan in layer 0, slot 1",
    ),
    "negative in slots": (
        {"a.pt": pt({"records": [{**COUNT, "global_physical_count": torch.asarray([[1, -4]])}], **MAP})},
        "negative or NaN, the first -4 in layer 0, slot 1",
    ),
    "line of another type": (
        {"a": lines({**STATS, "expert_load": [[1]], "p2l_map": [[0]]}, {"record_type": "eplb_move"})},
        "line 2 is no record of type eplb_load_stats or eplb_load_meta",
    ),
    "cut line": (
        {"a": lines({**STATS, "expert_load": [[1]], "p2l_map": [[0]]}) * 2 + b'{"record_type": "eplb_load_stats"'},
        "line 3 is no JSON",
    ),
    "no stats": (
        {"a": lines({"record_type": "eplb_load_meta", "version": 1})},
        "there is no record of type eplb",
    ),
    "newer lines": (
        {"a": lines({**STATS, "version": 2, "expert_load": [[1]], "p2l_map": [[0]]})},
        "line 1 is of version 2, and 1 is read",
    ),
    "more experts later": (
        {"a": lines(*({**STATS, "expert_load": [[1, 1]], "p2l_map": [[0, expert]]} for expert in (0, 1)))},
        "p2l_map in line 2 has expert 1, and the first one 1 experts",
    ),
    "ragged": ({"a": lines({**STATS, "expert_load": [[1], [1, 2]], "p2l_map": [[0], [0]]})}, "rows of different len"),
    "cut history": ({"a": SAMPLES["load-history"].files["a.json"][:-3]}, "the file ends before its last object does"),
    "history of other layers": (
        {"a": b'{"load_history": [{"logical_expert_load": [[1]]}, {"logical_expert_load": [[1], [2]]}]}'},
        "step 1 has shape (2, 1), and others have 1 layers of 1 experts",
    ),
    "no history": ({"a": b'{"load_history": []}'}, "must be a list of objects with logical_expert_load"),
    "explored": ({"a": b'{"per_layer_stats": [{"layer": 0}]}'}, "list of objects with layer and logical_load"),
    "layer of text": ({"a": b'{"per_layer_stats": [{"layer": "0", "logical_load": [1]}]}'}, "layer must be a whole"),
    "forwards": ({"a": npz(**{**MCORE, "forward_counts": np.array([3])})}, "1 forward_counts, 3 to 3"),
    "layers": ({"a": npz(**{**MCORE, "layer_numbers": np.array([0, 1])})}, "loads of 1 layers and 2 forwards have 2"),
    "no forwards": ({"a": npz(**{**MCORE, "forward_counts": np.array([0])})}, "layer 0 has no forward pass"),
    "far layer": ({"a": b'{"layer_999999999": [1, 2]}'}, "too many for the 2 that are there"),
    "layer twice": ({"a": b'{"layer_1": [1, 2], "layer_01": [1, 2]}'}, "a layer is there twice"),
    "log without counts": ({"a": LINE.format(0, 2, "1").encode()}, "line 1 of a says 2 experts and has 1 counts"),
    "log with text": ({"a": LINE.format(0, 2, "1\tx").encode()}, "line 1 of a says 2 experts and has 1 counts"),
    "log twice": ({"a": 2 * LINE.format(0, 1, "1").encode()}, "has rank 0 of layer 0 in decode step 0 once more"),
    "log of a far layer": ({"a": LINE.format(999999999, 1, "1").encode()}, "make more than 16777216 loads"),
    "no ranks": ({**META, "x": b"1"}, "there must be rank0.safetensors"),
    "no experts": ({"meta_info.json": b"{}", "x": b"1"}, "num_experts must be a whole number from 1, got 'None'"),
    "no tensors": ({**META, "rank0.safetensors": safetensors(x=np.ones(2, np.int32))}, "must have tensors such as 100"),
    "other experts": (
        {**META, "rank0.safetensors": safetensors(**{"1_0": np.ones(3, np.int32)})},
        "1_0 of rank 0 has 3 experts, and meta_info.json says 2",
    ),
    "several tensors": ({"a": safetensors(a=np.ones((1, 2)), b=np.ones((1, 2)))}, "or only one; found: a, b"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_file_and_the_fault(name: str, tmp_path: Path) -> None:
    files, fault = REFUSED[name]
    path = write(files, tmp_path / "dump")
    with pytest.raises(ValueError) as error:  # noqa: PT011 # the message is looked at below
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert fault in str(error.value)


def test_rows_that_are_no_multiple_of_the_layers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1,2\n3,4\n5,6\n")
    with pytest.raises(ValueError, match=r"a\.csv has 3 rows, not a multiple of 2 layers"):
        read(tmp_path / "a.csv", num_layers=2)


def test_the_sample_has_what_formats_differ_in() -> None:
    assert OF_RANKS.shape[-1] > PHY2LOG.max() + 1
    assert (TOTAL[:, 0] == 0).all()
    assert len(TOTAL[0]) == LAYERS


def test_no_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\n\n")
    with pytest.raises(ValueError, match=r"a\.csv has no rows"):
        read(tmp_path / "a.csv", num_layers=2)


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("module", [b"numpy._core.", b"numpy.core."])
def test_dicts_of_older_numpys_are_read(protocol: int, module: bytes, tmp_path: Path) -> None:
    content = {
        "logical_count": np.asfortranarray(TOTAL[0], dtype=">i4"),
        "rank": np.int64(3),
        "names": ["a", None, 1.5],
    }
    head = npy(np.array({}, object)).partition(b"\n")[0] + b"\n"
    made = pickle.dumps(np.array(content, object), protocol)
    if protocol == 3:  # names end with a line there, and are counted in later protocols
        made = made.replace(b"numpy._core.", module)
    np.testing.assert_array_equal(read(write({"a": head + made}, tmp_path)), TOTAL[:1], strict=True)
