"""Maps of engines: each layout as the engine writes it, read and written back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from eplb_xp.formats import placements
from tests.support.dumps import lines, passes
from tests.support.maps import ASCEND, BALANCER, DEVICES, GPUS, MAPPING, PHY2LOG, PLACEMENT, PLACES, ROWS, as_json
from tests.support.recorded import npy, npz, pt

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
