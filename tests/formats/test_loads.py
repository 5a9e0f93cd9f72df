"""What engines record: every format, told apart by its content, ranks summed, slots folded."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eplb_xp.formats.loads import FORMATS, format_of
from eplb_xp.formats.loads.options import Options
from eplb_xp.formats.source import opened
from eplb_xp.loads import read
from tests.support.dumps import (
    LOAD,
    SAMPLES,
    TOTAL,
    lines,
    megatron,
    passes,
    safetensors,
    write,
)
from tests.support.recorded import npz, pt, table

SINGLE = [name for name, sample in SAMPLES.items() if len(sample.files) == 1]


@pytest.mark.parametrize("name", SAMPLES)
def test_loads_are_read(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    path = write(sample.files, tmp_path / "dump")
    found = read(path, **sample.options)
    np.testing.assert_array_equal(found, sample.expected, strict=True)
    assert found.flags.owndata
    assert found.flags.writeable
    np.testing.assert_array_equal(read(path, sum_steps=True, **sample.options), sample.expected.sum(axis=0))
    last = read(path, steps=slice(-1, None), layers=slice(1, 3), **sample.options)
    np.testing.assert_array_equal(last, sample.expected[-1:, 1:3])


def test_every_format_has_a_sample(tmp_path: Path) -> None:
    known = set()
    for name, sample in SAMPLES.items():
        if name == "tensorrt-llm":  # a folder by its nature
            continue
        write(sample.files, tmp_path / name)
        with opened(tmp_path / name / next(iter(sample.files))) as source:
            found = format_of(source, Options(**sample.options))
            known |= {each for each, its in FORMATS.items() if its is found}
    assert known == set(FORMATS)


@pytest.mark.parametrize("ending", ["", ".npy", ".npz", ".json", ".csv", ".pt", ".txt"])
@pytest.mark.parametrize("name", SINGLE)
def test_the_ending_says_nothing(name: str, ending: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    (content,) = sample.files.values()
    (tmp_path / f"a{ending}").write_bytes(content)
    np.testing.assert_array_equal(read(tmp_path / f"a{ending}", **sample.options), sample.expected, strict=True)


def test_one_rank_is_read_alone(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(passes(1))
    np.testing.assert_array_equal(read(tmp_path / "a.pt"), LOAD[1])
    (tmp_path / "a.npz").write_bytes(megatron(1))
    np.testing.assert_array_equal(read(tmp_path / "a.npz"), LOAD[1])


def test_only_passes_that_all_ranks_have_are_summed(tmp_path: Path) -> None:
    content = torch.load(write({"0.pt": passes(0)}, tmp_path), weights_only=True)
    content["records"] = [*content["records"][1:], {**content["records"][0], "forward_pass_id": 99}]
    write({"0.pt": pt(content), "1.pt": passes(1)}, tmp_path)
    np.testing.assert_array_equal(read(tmp_path), TOTAL[1:])


def test_several_records_of_a_pass_are_summed(tmp_path: Path) -> None:
    content = torch.load(write({"0.pt": passes(0)}, tmp_path), weights_only=True)
    content["records"] += [{**content["records"][0], "gatherer_key": "other"}]
    expected = LOAD[0].copy()
    expected[0] *= 2
    np.testing.assert_array_equal(read(write({"0.pt": pt(content)}, tmp_path)), expected)


def test_the_map_may_change_between_steps_and_have_empty_slots(tmp_path: Path) -> None:
    counts, maps = [[5, 7, 9]], ([[0, 1, -1]], [[1, 0, 0]])
    records = [{"record_type": "eplb_load_stats", "version": 1, "expert_load": counts, "p2l_map": its} for its in maps]
    np.testing.assert_array_equal(read(write({"a": lines(*records)}, tmp_path)), [[[5, 7]], [[16, 5]]])


def test_floats_stay_floats(tmp_path: Path) -> None:
    history = {"load_history": [{"logical_expert_load": [[1, 2]]}, {"logical_expert_load": [[0.5, 2]]}]}
    found = read(write({"a": json.dumps(history).encode()}, tmp_path))
    np.testing.assert_array_equal(found, np.array([[[1, 2]], [[0.5, 2]]]), strict=True)
    found = read(write({"a": safetensors(x=np.array([[0.5, 1]]))}, tmp_path))
    np.testing.assert_array_equal(found, np.array([[[0.5, 1]]]), strict=True)


def test_forwards_that_not_every_layer_has_are_left_out(tmp_path: Path) -> None:
    loads = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    content = npz(loads=loads, layer_numbers=np.array([1, 0]), forward_counts=np.array([3, 2]))
    np.testing.assert_array_equal(read(write({"a": content}, tmp_path)), loads[::-1, :2].transpose(1, 0, 2))


def test_tables_of_ranks_may_name_other_layers_and_experts(tmp_path: Path) -> None:
    header = "layer_id,expert_id,count"
    write({"0.csv": table(header, (0, 0, 5), (0, 1, 2)), "1.csv": table(header, (1, 2, 9))}, tmp_path)
    np.testing.assert_array_equal(read(tmp_path), [[[5, 2, 0], [0, 0, 9]]])


def test_hidden_files_are_no_ranks(tmp_path: Path) -> None:
    write({".DS_Store": b"\0\1", **SAMPLES["dlblas"].files}, tmp_path)
    np.testing.assert_array_equal(read(tmp_path), SAMPLES["dlblas"].expected)


def test_npus_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    files = {f"npu_{npu}.csv": f"{npu},{npu}\n".encode() for npu in range(11)}
    found = read(write(files, tmp_path), num_layers=1)
    np.testing.assert_array_equal(found, np.repeat(np.arange(11), 2)[None, None])
