"""``eplb-xp measure``: what the machine at hand takes, and its use."""

import json
from pathlib import Path

import numpy as np
import pytest

from eplb_xp.cli.commands import measure
from eplb_xp.simulation import Measured, Product, cost_of
from tests.support.command_line import run

COST = {"seconds_per_token": 2e-7, "seconds_per_active_slot": 4e-5}
FOUND = Measured("a machine", 2, [Product(16, 4e-5), Product(1024, 2e-4)], COST, ["moves: none"])


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measurement without the time it takes."""
    monkeypatch.setattr(measure, "measured", lambda *_, **__: FOUND)


@pytest.mark.usefixtures("found")
def test_a_table_of_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("measure", "--model", "kimi-k2", "--experts", "2") == 0
    out = capsys.readouterr().out
    assert "2 x a machine" in out
    assert "an active slot 40.0 us, a token 200.0 ns" in out
    assert "below 200 tokens a slot its weights decide" in out
    assert "not measured: moves: none" in out


@pytest.mark.usefixtures("found")
def test_what_is_measured_is_what_seconds_are_counted_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("measure", "--json") == 0
    (tmp_path / "cost.json").write_text(capsys.readouterr().out)
    np.save(tmp_path / "trace.npy", np.random.default_rng(0).integers(1, 90, (8, 2, 8)))
    given = ("--num-replicas=12", "--num-gpus=4", "--every=3", "--cost", tmp_path / "cost.json", "--json")
    assert run("simulate", tmp_path / "trace.npy", *given) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cost"] == cost_of("h200", "deepseek-v3")._replace(**COST)._asdict()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "a cost must be JSON, as 'eplb-xp measure --json' writes it"),
        ("[1]", "a cost must be an object with some of seconds_per_token,"),
        ('{"cost": {"seconds": 1}}', "a cost must be an object with some of seconds_per_token,"),
        ('{"seconds_per_token": -1}', "seconds_per_token must be between 0 and"),
        ('{"seconds_per_token": "1"}', "seconds_per_token must be a number"),
    ],
)
def test_what_is_no_cost_is_refused(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cost.json").write_text(text)
    assert run("simulate", "a.npy", "--num-replicas=12", "--num-gpus=4", "--cost", tmp_path / "cost.json") == 2
    assert message in capsys.readouterr().err


def test_what_there_is_none_of_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("measure", "--model", "x") == 2
    assert "--model must be one of deepseek-v3," in capsys.readouterr().err

    def missing(library: str) -> None:
        raise ImportError(f"no {library}")

    monkeypatch.setattr(measure, "machine_of", missing)
    assert run("measure", "--backend=jax") == 2
    assert 'pip install "eplb-xp[jax]"' in capsys.readouterr().err
