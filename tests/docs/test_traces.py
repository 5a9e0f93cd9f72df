"""What docs/traces.md records can be simulated on, as it says."""

import doctest
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.command_line import run
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "traces.md").read_text()
COMMANDS = re.findall(r"^ {4}eplb-xp (simulate \S+\.npz .*)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page defines, and where it writes."""
    made = tmp_path_factory.mktemp("traces")
    names: dict[str, Any] = {"made": made}
    for example in doctest.DocTestParser().get_examples(PAGE):
        if "TemporaryDirectory()" in example.source:
            names["folder"] = type("Folder", (), {"name": str(made), "cleanup": lambda _: None})()
        else:
            exec(example.source, names)  # noqa: S102 # our own page
    return names


@pytest.fixture
def folder(names: dict[str, Any]) -> Path:
    """Where it writes."""
    made: Path = names["made"]
    return made


def test_what_is_recorded_is_what_was_chosen(folder: Path) -> None:
    for name in ("trace.npz", "jax.npz"):
        with np.load(folder / name) as arrays:
            assert arrays["load"].dtype == np.uint8
            assert (arrays["load"].sum(axis=-1) == 400).all()
            assert len(np.unique(arrays["load"], axis=0)) == 64  # no step stands for another


def test_each_step_is_counted_and_no_padding(names: dict[str, Any]) -> None:
    ids = np.array([[[0, 2], [1, 2], [-1, -1]], [[1, 0], [-1, 3], [3, 1]]])  # [layers, tokens, top_k]
    expected = [[1, 1, 2, 0], [1, 2, 0, 2]]
    recorder = names["Recorder"](2, 2, 4)
    for step in range(3):
        for layer in range(2):
            recorder.chose(layer, torch.asarray(ids[layer, : 3 - step]))
        recorder.end_step()
    recorder.copy_out()
    first, second, third = np.concatenate(recorder.copied).tolist()
    assert first == expected
    assert second == [[1, 1, 2, 0], [1, 1, 0, 1]]
    assert third == [[1, 0, 1, 0], [1, 1, 0, 0]]
    assert names["count"](ids, 4).tolist() == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_it_can_be_simulated_on(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert run(*shlex.split(command)) == 0
    out, err = capsys.readouterr()
    assert "ring" in out
    assert err == ""


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) == 3
