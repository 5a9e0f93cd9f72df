"""Tables of loads: which columns they may have, and under which names."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp.loads import read
from tests.support.recorded import LOAD, LONG, table

ROWS = [(0, 1, 132), (1, 0, 20), (0, 0, 90)]
SPARSE = [[90, 132], [20, 0]]
RECORDS = [{"layer_id": layer, "expert_id": expert, "count": count} for layer, expert, count in ROWS]


def as_read(path: Path, content: str | bytes, **options: Any) -> Any:
    """What is read from a file of this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, **options).tolist()


def refusal(path: Path, content: str | bytes) -> str:
    """Why a file of this content is not read."""
    with pytest.raises(ValueError) as error:  # noqa: PT011 # the message is looked at by the caller
        as_read(path, content)
    return str(error.value)


@pytest.mark.parametrize(
    "header",
    [
        "layer,expert,load",
        "layer_id,expert_id,count",
        "Layer-ID, Expert ID ,TOKENS",
        "layerIdx,logical_expert_id,num_tokens",
        "# layer,expert,token_count",
    ],
)
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_every_usual_name_of_a_row_for_each_load(header: str, mark: str, tmp_path: Path) -> None:
    assert as_read(tmp_path / "a.csv", table(header, *ROWS).replace(b",", mark.encode())) == [SPARSE]


def test_rows_of_several_steps_come_in_any_order_and_may_be_missing(tmp_path: Path) -> None:
    rows = [(0, 1, 5, 1), (1, 0, 3, 0), (0, 0, 2, 2)]
    expected = [[[0, 0], [3, 0]], [[0, 5], [0, 0]], [[2, 0], [0, 0]]]
    assert as_read(tmp_path / "a.csv", table("layer_id,expert_id,tokens,step", *rows)) == expected


def test_numbers_may_be_floats_and_loads_too(tmp_path: Path) -> None:
    assert as_read(tmp_path / "a.csv", "layer,expert,load\n0.0,1e0,2.5\n") == [[[0, 2.5]]]


def test_row_numbers_beside_named_columns_are_no_loads(tmp_path: Path) -> None:
    for name in ("", "index", "Unnamed: 0"):
        rows = [(number, *row) for number, row in enumerate(ROWS)]
        assert as_read(tmp_path / "a.csv", table(f"{name},layer_id,expert_id,count", *rows)) == [SPARSE]
        assert as_read(tmp_path / "a.csv", f"{name},layer,0,1\n0,1,20,0\n1,0,90,132\n") == [SPARSE]


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("expert_0,expert_1,expert_2", "7,8,9", [[[7, 8, 9]]]),
        ("E1,E2,E3", "7,8,9", [[[7, 8, 9]]]),
        ("expert 0 tokens,expert 1 tokens", "7,8", [[[7, 8]]]),
        ("e2,e0,e1", "9,7,8", [[[7, 8, 9]]]),
        (",".join(f"e{each}" for each in sorted(map(str, range(12)))), ",".join(sorted(map(str, range(12)))),
         [[[*range(12)]]]),
        ("layer,e0,e1", "1,7,8", [[[0, 0], [7, 8]]]),
        ("layer_id,0,1", "1,7,8", [[[0, 0], [7, 8]]]),
        ("Layer;1.0;0.0", "1;7;8", [[[0, 0], [8, 7]]]),
        ("step,layer,e0,e1", "1,0,7,8", [[[0, 0]], [[7, 8]]]),
        ("layer,step,e0,e1", "0,1,7,8", [[[0, 0]], [[7, 8]]]),
    ],
)  # fmt: skip
def test_columns_of_experts_are_placed_by_their_numbers(
    header: str, row: str, expected: list[Any], tmp_path: Path
) -> None:
    assert as_read(tmp_path / "a.csv", f"{header}\n{row}\n") == expected


@pytest.mark.parametrize(
    "header",
    ["a,b,c", "gpu,rank,node", "e0,e1,e3", "e2,e3,e4", "e0,e0,e1", "e0,f1,e2", "layer_0,layer_1,layer_2",
     "gpu_0,gpu_1,gpu_2", "e0,e1,", "step,e0,e1", "e1.1,e1.2,e1.3"],
)  # fmt: skip
def test_other_headers_are_refused(header: str, tmp_path: Path) -> None:
    message = refusal(tmp_path / "a.csv", f"{header}\n5,6,7\n8,9,9\n")
    assert "columns must be layer, expert, load and perhaps step, or expert_0, expert_1, ..." in message
    assert f"found: {', '.join(header.split(',')).strip()}" in message


@pytest.mark.parametrize("header", ["expert_id,count", "layer,count,rank", "expert,layer_0", "gpu,rank,load"])
def test_a_row_for_each_load_needs_all_its_columns(header: str, tmp_path: Path) -> None:
    message = refusal(tmp_path / "a.csv", table(header, (5,) * len(header.split(","))))
    assert f"columns must be layer, expert, load and perhaps step; found: {', '.join(header.split(','))}" in message


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("layer,expert,load\n0,1000000000,3\n", "1 x 1 x 1000000001 loads, too many for the 1 that are there"),
        ("layer,e0,e1\n1000000000,5,6\n", "1 x 1000000001 x 2 loads, too many for the 2 that are there"),
        ("layer,e0,e1\n1,5,6\n1,5,6\n", "step 0, layer 1 is there twice, again at line 3"),
        ("layer,e0,e1\n1.5,5,6\n", "layer must be a number from 0, got '1.5' at line 2"),
        ("layer,e0,e1\nnan,5,6\n", "layer must be a number from 0, got 'nan' at line 2"),
        (table("layer,expert,load", *((layer, expert, 9) for layer in (1, 2) for expert in range(1, 9))),
         "every layer has a row for each of experts 1 to 8, and none for 0: count from 0, or give"),
    ],
)  # fmt: skip
def test_numbers_that_can_not_be_are_refused(content: str | bytes, fault: str, tmp_path: Path) -> None:
    assert fault in refusal(tmp_path / "a.csv", content)


JSON: dict[str, Any] = {
    "records": RECORDS,
    "records under load": {"load": RECORDS},
    "split": {"columns": [*RECORDS[0]], "index": [0, 1, 2], "data": ROWS},
    "columns": {name: {str(row): each[name] for row, each in enumerate(RECORDS)} for name in RECORDS[0]},
    "index": {str(row): each for row, each in enumerate(RECORDS)},
    "table": {"schema": {}, "data": [{"index": row, **each} for row, each in enumerate(RECORDS)]},
    "lists": {name: [each[name] for each in RECORDS] for name in RECORDS[0]},
    "records of layers": [{"layer": 1, "e0": 20, "e1": 0}, {"layer": 0, "e0": 90, "e1": 132}],
    "split of layers": {"columns": [0, 1], "index": [0, 1], "data": SPARSE},
    "columns of layers": {"expert_1": {"0": 132, "1": 0}, "expert_0": {"0": 90, "1": 20}},
}


@pytest.mark.parametrize("name", JSON)
def test_tables_in_json(name: str, tmp_path: Path) -> None:
    assert as_read(tmp_path / "a.json", json.dumps(JSON[name])) == [SPARSE]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"0": {"0": 9, "1": 7}, "1": {"0": 8, "1": 6}}, "must name columns, such as layer or expert_0; found num"),
        ([RECORDS[0], {"layer_id": 0}], "must have the columns of the first, layer_id, expert_id, count; [1] has"),
        ({"layer": {"0": 1}, "e0": {"1": 5}}, "must have rows of the same names, but those of e0 are 1"),
        ([{**RECORDS[0], "count": None}], "cells must be numbers, got null at [0]"),
        ([{**RECORDS[0], "count": True}], "cells must be numbers, got true at [0]"),
        ([{"rank": 1}], "columns must be layer, expert, load and perhaps step, or expert_0"),
        ({"data": [[1, 2], [3, 4]]}, "there must be 'load' or 'logical_count'; found: data"),
    ],
)  # fmt: skip
def test_other_json_is_refused(content: Any, fault: str, tmp_path: Path) -> None:
    assert fault in refusal(tmp_path / "a.json", json.dumps(content))


def test_many_rows_are_as_many_loads(tmp_path: Path) -> None:
    np.testing.assert_array_equal(as_read(tmp_path / "a.csv", table("layer,expert,load", *LONG[::-1])), [LOAD])
