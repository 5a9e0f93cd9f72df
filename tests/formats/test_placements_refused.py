"""Maps that are not read, and those that an engine would not take."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eplb_xp.formats import placements
from eplb_xp.formats.placements.placement import Placement
from tests.support.dumps import lines, safetensors
from tests.support.maps import ASCEND, DEVICES, MAPPING, PHY2LOG, PLACEMENT, ROWS, as_json
from tests.support.recorded import npy, pt

MERGED = "a: &a {x: 1}\ninitial_global_assignments:\n  <<: [*a, *a]\n"
REPEATED = "num_slots: 40\ninitial_global_assignments:\n  0: &a [" + "0, " * 40 + "]\n"
REPEATED += "".join(f"  {layer}: *a\n" for layer in range(1, 40))
TWICE = {"layer_id": 0, "device_list": [{"device_id": 0, "device_expert": [0]}] * 2}

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "binary": (b"\0\1\2", "as no known file does"),
    "table": (b"1,2\n", "no plan is read from files like this; the formats are sglang, sglang-jax, vllm, vllm-list,"),
    "safetensors": (safetensors(x=PHY2LOG), "no plan is read from files like this"),
    "floats": (as_json([[0.5]]), "the list must be whole numbers [layers, slots], none of them 0, got shape (1, 1) of"),
    "NaN": (b"[[NaN]]", "the list must be whole numbers"),
    "ragged": (as_json([[0], [0, 1]]), "the list must be [layers, slots], got rows of different lengths"),
    "none": (b"[]", "the list must be whole numbers [layers, slots], none of them 0"),
    "negative": (as_json([[0, -1]]), "must hold experts from 0, fewer than its 2 slots, got numbers from -1 to 0"),
    "no expert": (as_json({"physical_to_logical_map": [[0, 2]]}), "fewer than its 2 slots, got numbers from 0 to 2"),
    "loads": (npy(PHY2LOG * 1.5), "physical_to_logical_map must be whole numbers [layers, slots]"),
    "one axis": (npy(PHY2LOG[0]), "physical_to_logical_map must be whole numbers [layers, slots]"),
    "other dict": (
        npy(np.array({"logical_count": PHY2LOG}, object)),
        "there must be physical_to_logical_map; found: log",
    ),
    "other record": (
        json.dumps({"record_type": "eplb_move"}, indent=1).encode(),
        "must be eplb_initial_mapping of version 1, got eplb_move",
    ),
    "newer record": (json.dumps({**MAPPING, "version": 2}, indent=1).encode(), "eplb_initial_mapping of version 2"),
    "two records": (lines(MAPPING, MAPPING), "there must be one record of type eplb_initial_mapping, and there are 2"),
    "slots": (
        as_json({**MAPPING, "num_slots": 7}),
        "num_slots is 7, and initial_global_assignments has 6 slots a layer",
    ),
    "no layers": (
        as_json({**MAPPING, "initial_global_assignments": {}}),
        "a map of layers to lists of experts, at least",
    ),
    "no lists": (as_json({**MAPPING, "initial_global_assignments": {"0": 1}}), "a list of experts for every layer"),
    "layer of text": (
        as_json({**MAPPING, "initial_global_assignments": {"x": [0]}}),
        "must be a whole number from 0, got 'x'",
    ),
    "layer twice": (as_json({**MAPPING, "initial_global_assignments": {"0": [0], "00": [0]}}), "has a layer twice"),
    "no YAML": (b"num_slots: [1\n", "no text file of a plan: while parsing a flow sequence"),
    "list of YAML": (b"num_slots: 1\n", "initial_global_assignments must be a map of layers"),
    "YAML that runs": (b"num_slots: !!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
    "merged": (MERGED.encode() + b"num_slots: 1\n", "no map may be merged into another one"),
    "repeated": (REPEATED.encode(), "repeats lists by reference, to more numbers than the file has bytes"),
    "count of layers": (as_json({**ASCEND, "moe_layer_count": 3}), "moe_layer_count is 3, and layer_list has 2 layers"),
    "no list of layers": (
        as_json({"layer_list": {}}),
        "layer_list must be a list of objects with layer_id, at least one",
    ),
    "device twice": (as_json({"layer_list": [TWICE]}), "device_list has a device_id twice"),
    "devices": (
        as_json({"layer_list": [DEVICES[0], {**DEVICES[1], "device_list": DEVICES[1]["device_list"][:2]}]}),
        "every layer must have as many devices, got [2, 3]",
    ),
    "no devices": (as_json({"layer_list": [{"layer_id": 0}]}), "device_list must be a list of objects with device_id"),
    "slots of devices": (
        as_json(
            {
                "layer_list": [
                    {
                        "layer_id": 0,
                        "device_list": [{"device_id": 0, "device_expert": [0]}, {"device_id": 1, "device_expert": []}],
                    }
                ]
            }
        ),
        "device_expert must be a list of experts, as long on every device of a layer",
    ),
    "two in a slot": (pt(torch.asarray([[[0, 0, 1], [0, 1, -1]]])), "every rank must hold 3 experts"),
    "same slot": (pt(torch.asarray([[[0, 1, -1], [1, 1, -1]]])), "two experts are in one slot"),
    "two axes": (pt(torch.asarray(PHY2LOG)), "the tensor must be whole numbers [layers, ranks, experts]"),
    "newer": (as_json({"format_version": 2}), "a plan of format_version 2, and eplb-xp"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_file_and_the_fault(name: str, tmp_path: Path) -> None:
    content, fault = REFUSED[name]
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError) as error:  # noqa: PT011 # the message is looked at below
        placements.read(tmp_path / "a")
    assert str(error.value).startswith(f"{tmp_path / 'a'}: ")
    assert fault in str(error.value)


def test_another_format_than_asked_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(as_json(ROWS))
    with pytest.raises(ValueError, match="by its content it is no file of sglang: it would be read as vllm-list"):
        placements.read(tmp_path / "a", "sglang")


UNWRITABLE: dict[str, tuple[str, Placement, str]] = {
    "missing expert": (
        "sglang",
        Placement(np.array([[0, 2, 2]])),
        "layer 0 has no slot for 1 of its 3 experts, the first of them 1",
    ),
    "missing last": (
        "sglang",
        Placement(np.array([[0, 1, 1]]), num_experts=3),
        "layer 0 has no slot for 1 of its 3 experts",
    ),
    "far expert": ("eplb-xp", Placement(np.array([[0, 10**12]])), "has at most as many experts, numbered from 0"),
    "many experts": ("eplb-xp", Placement(np.array([[0, 1]]), num_experts=10**12), "of 1000000000000 experts"),
    "few experts": ("eplb-xp", Placement(np.array([[0, 1]]), num_experts=1), "got numbers from 0 to 1 of 1 experts"),
    "no slots": ("eplb-xp", Placement(np.empty((2, 0), np.int64)), "at least one layer and slot, got shape"),
    "empty slot": ("eplb-xp", Placement(np.array([[0, -1]])), "got numbers from -1 to 0"),
    "no GPUs": ("vllm-ascend", PLACEMENT._replace(num_gpus=None), "a list for each GPU: num_gpus must say how many"),
    "GPUs": ("vllm-ascend", PLACEMENT._replace(num_gpus=4), "num_gpus must divide the 6 slots, got 4"),
    "doubled": ("vllm-ascend", Placement(np.array([[0, 1, 0, 2]]), num_gpus=1), "GPU 0 of layer 0 does expert 0"),
    "doubled places": ("expert-map", Placement(np.array([[0, 1, 0, 2]]), num_gpus=1), "holds an expert twice"),
}


@pytest.mark.parametrize("name", UNWRITABLE)
def test_what_an_engine_would_not_take_is_not_written(name: str, tmp_path: Path) -> None:
    format_name, placement, fault = UNWRITABLE[name]
    with pytest.raises(ValueError, match=fault):
        placements.write(tmp_path / "a", format_name, placement)
    assert not (tmp_path / "a").exists()
