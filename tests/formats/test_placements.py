"""Maps of engines: each layout as the engine writes it, read and written back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from eplb_xp.formats import placements
from eplb_xp.formats.placements.placement import Placement
from tests.support.dumps import lines, passes, safetensors
from tests.support.recorded import npy, npz, pt

PHY2LOG = np.array([[0, 1, 2, 3, 4, 0], [4, 2, 1, 4, 0, 3]])  # two layers of five experts in six slots
GPUS = 3
PLACEMENT = Placement(PHY2LOG, num_gpus=GPUS)
ROWS = PHY2LOG.tolist()

# [layers, ranks, experts]: the slot of an expert on a rank.
PLACES = [
    [[0, 1, -1, -1, -1], [-1, -1, 0, 1, -1], [1, -1, -1, -1, 0]],
    [[-1, -1, 1, -1, 0], [-1, 0, -1, -1, 1], [0, -1, -1, 1, -1]],
]
DEVICES: list[dict[str, Any]] = [
    {
        "layer_id": layer,
        "device_count": GPUS,
        "device_list": [{"device_id": gpu, "device_expert": row[2 * gpu : 2 * gpu + 2]} for gpu in range(GPUS)],
    }
    for layer, row in enumerate(ROWS)
]
ASCEND = {"moe_layer_count": 2, "layer_list": DEVICES}
MAPPING: dict[str, Any] = {
    "record_type": "eplb_initial_mapping",
    "version": 1,
    "num_redundant_experts": 1,
    "num_slots": 6,
    "initial_global_assignments": {"0": ROWS[0], "1": ROWS[1]},
}
BALANCER = "num_slots: 6\ninitial_global_assignments:\n  3: [0, 1, 2, 3, 4, 0]\n  5: [4, 2, 1, 4, 0, 3]\n"


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


READABLE: dict[str, tuple[str, bytes]] = {
    "own .npz": ("eplb-xp", npz(phy2log=PHY2LOG)),
    "own .json": ("eplb-xp", as_json({"phy2log": ROWS})),
    "sglang .json": ("sglang", as_json({"physical_to_logical_map": ROWS})),
    "sglang .pt": ("sglang", pt({"physical_to_logical_map": torch.asarray(PHY2LOG)})),
    "sglang-jax array": ("sglang-jax", npy(PHY2LOG.astype(np.int32))),
    "sglang-jax dict": ("sglang-jax", npy(np.array({"physical_to_logical_map": PHY2LOG}, object))),
    "vllm": ("vllm", as_json(MAPPING)),
    "vllm, over several lines": ("vllm", json.dumps(MAPPING, indent=2).encode()),
    "vllm, after the meta": ("vllm", lines({"record_type": "eplb_load_meta"}, MAPPING)),
    "vllm, layers in any order": (
        "vllm",
        as_json({**MAPPING, "initial_global_assignments": {"1": ROWS[1], "0": ROWS[0]}}),
    ),
    "vllm-list": ("vllm-list", as_json(ROWS)),
    "tensorrt-llm": ("tensorrt-llm", BALANCER.encode()),
    "tensorrt-llm, as blocks": (
        "tensorrt-llm",
        yaml.safe_dump(yaml.safe_load(BALANCER), default_flow_style=False).encode(),
    ),
    "tensorrt-llm, as JSON": (
        "tensorrt-llm",
        as_json({"num_slots": 6, "initial_global_assignments": {"3": ROWS[0], "5": ROWS[1]}}),
    ),
    "vllm-ascend": ("vllm-ascend", as_json(ASCEND)),
    "vllm-ascend, in any order": ("vllm-ascend", as_json({"layer_list": DEVICES[::-1]})),
    "expert-map": ("expert-map", pt(torch.asarray(PLACES, dtype=torch.int32))),
}


@pytest.mark.parametrize("ending", [".npz", ".json", ".txt", ""])
@pytest.mark.parametrize("name", READABLE)
def test_maps_are_read_whatever_their_ending(name: str, ending: str, tmp_path: Path) -> None:
    format_name, content = READABLE[name]
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    found = placements.read(path)
    np.testing.assert_array_equal(found.phy2log, PHY2LOG, strict=True)
    assert found.num_gpus == (GPUS if format_name in {"vllm-ascend", "expert-map"} else None)
    numbers = None if found.layer_numbers is None else found.layer_numbers.tolist()
    assert numbers == ([3, 5] if format_name == "tensorrt-llm" else None)
    assert placements.read(path, format_name).phy2log.tolist() == ROWS


def test_every_format_is_read_and_written() -> None:
    assert {name for name, _ in READABLE.values()} == set(placements.FORMATS) == set(WRITTEN)


def load_pt(path: Path) -> Any:
    content = torch.load(path, weights_only=True)
    return {name: each.tolist() for name, each in content.items()} if isinstance(content, dict) else content.tolist()


def load_json(path: Path) -> Any:
    return json.loads(path.read_text())


WRITTEN: dict[str, dict[str, Any]] = {
    "eplb-xp": {
        ".json": (lambda path: load_json(path)["phy2log"], ROWS),
        ".npz": (lambda path: np.load(path)["phy2log"].tolist(), ROWS),
    },
    "sglang": {
        ".json": (load_json, {"physical_to_logical_map": ROWS}),
        ".pt": (load_pt, {"physical_to_logical_map": ROWS}),
    },
    "sglang-jax": {".npy": (lambda path: np.load(path, allow_pickle=False).tolist(), ROWS)},
    "vllm": {".json": (load_json, MAPPING), ".jsonl": (load_json, MAPPING)},
    "vllm-list": {".json": (load_json, ROWS)},
    "tensorrt-llm": {
        ending: (
            lambda path: yaml.safe_load(path.read_text()),
            {"num_slots": 6, "initial_global_assignments": {0: ROWS[0], 1: ROWS[1]}, "layer_updates_per_iter": 0},
        )
        for ending in (".yaml", ".yml")
    },
    "vllm-ascend": {".json": (load_json, ASCEND)},
    "expert-map": {".pth": (load_pt, PLACES), ".pt": (load_pt, PLACES)},
}


@pytest.mark.parametrize(("name", "ending"), [(name, ending) for name, its in WRITTEN.items() for ending in its])
def test_maps_are_written_as_engines_read_them(name: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    placements.write(path, name, PLACEMENT)
    load, expected = WRITTEN[name][ending]
    assert load(path) == expected
    np.testing.assert_array_equal(placements.read(path, name).phy2log, PHY2LOG, strict=True)


def test_every_ending_is_tried() -> None:
    assert {name: set(its) for name, its in WRITTEN.items()} == {
        name: set(each.endings) for name, each in placements.FORMATS.items()
    }


def test_layers_keep_the_numbers_of_the_model(tmp_path: Path) -> None:
    placements.write(tmp_path / "a.yaml", "tensorrt-llm", PLACEMENT._replace(layer_numbers=np.array([3, 5])))
    assert placements.read(tmp_path / "a.yaml").layer_numbers is not None
    assert yaml.safe_load((tmp_path / "a.yaml").read_text())["initial_global_assignments"] == {3: ROWS[0], 5: ROWS[1]}
    assert "3: [0, 1, 2, 3, 4, 0]" in (tmp_path / "a.yaml").read_text()  # a line for each layer


def test_one_list_is_for_all_layers(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(as_json(ROWS[0]))
    assert placements.read(tmp_path / "a").is_for_all_layers
    assert placements.read(tmp_path / "a").phy2log.tolist() == ROWS[:1]


def test_the_map_in_use_is_in_what_sglang_records(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(passes(0))
    assert placements.read(tmp_path / "a").phy2log.shape == (4, 8)


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
