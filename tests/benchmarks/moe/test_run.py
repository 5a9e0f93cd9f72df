"""The command on two processes of a processor: all parts, their files, and what is refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.moe import parts
from benchmarks.moe.__main__ import app, main
from benchmarks.moe.placements import CASES, SHARE, TURN
from benchmarks.moe.systems import systems
from eplb_xp.backends.takeover import SWITCH

OPTIONS = ["--gpus", "2", "--quick", "--loads", "2"]


def test_all_parts_by_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH)  # as users have it
    found = CliRunner().invoke(app, [*OPTIONS, "--out", str(tmp_path), "--only", ",".join(parts.BY_TORCH)])
    assert found.exit_code == 0, found.output
    written = json.loads((tmp_path / "moe.json").read_text())
    rows = written["parts"]
    assert {row["case"] for row in rows["decode"]} == {case.name for case in CASES}
    assert {row["case"] for row in rows["prefill"]} == {case.name for case in CASES if case.by in {TURN, SHARE}}
    for row in rows["prefill"] + rows["decode"]:
        assert sum(row["slots"]) == 2 * row["tokens"] * 2  # of all ranks, two choices each
        assert min(row["layer_s"]) >= 0
        assert len(row["layer_s"]) == 2
    best = [max(sum(row["slots"][:10]), sum(row["slots"][10:])) for row in rows["prefill"] if "shares" in row["case"]]
    assert all(busiest == 192 for busiest in best)  # half of 384: shares that the ranks made together
    assert [row["differing"] for row in rows["agreement"]] == [0]
    assert all(row["moved"] >= row["of_a_gpu"] for row in rows["moves"])
    assert set(written["costs"]["tiny"]) == {
        "seconds_per_token", "seconds_per_active_slot", "seconds_per_move", "seconds_per_share", "overlap",
    }  # fmt: skip
    text = (tmp_path / "moe.md").read_text()
    assert "a processor, which says nothing of time" in text
    assert text.count("\n## ") == 6
    assert (tmp_path / "moe.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "decode,encode"], "no such part: encode; there are prefill, decode, slots, moves, agreement, jax"),
        (["--system", "gpt"], "no system has 'gpt' in its name; there are tiny, tiny"),
    ],
)
def test_refusals_are_one_line(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip() == f"bench-moe: {said}"


def test_systems_fit_their_gpus() -> None:
    for gpus in (2, 4, 8):
        for each in systems(gpus):
            assert each.replicas % gpus == each.experts % gpus == 0
            slots = each.replicas // gpus
            assert slots * each.model.expert_bytes < 40e9  # of 80 GB, half
