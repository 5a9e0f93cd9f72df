"""What ``eplb-xp info`` says of an installation."""

import json
from typing import Any, NamedTuple

import numpy as np
import pytest

import eplb_xp
from eplb_xp.backends.launching import from_numpy
from eplb_xp.backends.takeover import SWITCH, Refusal
from eplb_xp.backends.tensors.through_host import HOST
from eplb_xp.engines import installed
from tests.support.command_line import run


def found(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run("info", "--json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_versions_are_those_of_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    document = found(capsys)
    assert document["version"] == eplb_xp.__version__
    assert document["packages"]["numpy"] == np.__version__
    assert [form["name"] for form in document["forms"]] == ["native", "triton", "triton", "native"]


def test_native_code_is_named_with_its_lanes_and_threads(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    native = from_numpy.extension()
    if isinstance(native, Refusal):
        pytest.skip(native.reason)
    monkeypatch.setenv(from_numpy.THREADS, "3")
    form = found(capsys)["forms"][0]
    assert form["is_used"]
    assert f"{native.MOST_LANES} lanes, 3 threads" in form["reason"]


def test_what_is_missing_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(from_numpy, "extension", lambda: Refusal("there is no native code here"))
    form = found(capsys)["forms"][0]
    assert not form["is_used"]
    assert form["reason"] == "there is no native code here"
    assert run("info") == 0
    assert "no native code" in capsys.readouterr().out


def test_the_way_through_the_host_is_one_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.delenv(HOST, raising=False)
    form = found(capsys)["forms"][3]
    assert not form["is_used"]
    assert form["reason"] == "EPLB_XP_HOST is 0 unless it is set to 1"
    monkeypatch.setenv(HOST, "1")
    native, *_, through_host = found(capsys)["forms"]
    assert through_host["is_used"] == native["is_used"]
    monkeypatch.setenv(HOST, "yes")
    assert run("info") == 2
    assert "EPLB_XP_HOST must be 0 or 1, got 'yes'" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "why"), [("0", "turns all forms off"), ("triton", "names other forms")])
def test_a_form_that_is_switched_off(
    value: str, why: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, value)
    form = found(capsys)["forms"][0]
    assert not form["is_used"]
    assert form["reason"] == f"{SWITCH}={value} {why}"


class Point(NamedTuple):
    """An entry point, of whatever group is asked for."""

    name: str


def test_engines_that_find_an_adapter(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Why not, one reason after the other, until there is none."""
    for variable in ("EPLB_XP_POLICY", "VLLM_PLUGINS", "SGLANG_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)

    def reasons() -> list[str]:
        engines = found(capsys)["engines"]
        assert [each["engine"] for each in engines] == ["vllm", "vllm-ascend", "sglang"]
        return [each["reason"] for each in engines if not each["is_used"]]

    monkeypatch.setattr(installed, "entry_points", lambda *, group: [])  # noqa: ARG005 # as metadata has it
    assert all("the entry point is not seen" in reason for reason in reasons())
    points = [Point("eplb_xp"), Point("eplb_xp_ascend")]
    monkeypatch.setattr(installed, "entry_points", lambda *, group: points)  # noqa: ARG005
    assert reasons() == ["the engine is not installed"] * 3
    monkeypatch.setattr(installed, "version", lambda _: "1.2.3")
    assert reasons() == ["EPLB_XP_POLICY is not set"] * 3
    monkeypatch.setenv("EPLB_XP_POLICY", "joint,max_moves=all")
    assert all("max_moves must be a whole number" in reason for reason in reasons())
    monkeypatch.setenv("EPLB_XP_POLICY", "joint,max_moves=10%")
    monkeypatch.setenv("SGLANG_PLUGINS", "others, more")
    assert reasons() == ["SGLANG_PLUGINS=others, more leaves eplb_xp out"]
    monkeypatch.setenv("SGLANG_PLUGINS", "others, eplb_xp")
    assert reasons() == []
    assert run("info") == 0
    assert "vllm 1.2.3" in capsys.readouterr().out


def test_settings_that_there_are_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "fast")
    assert run("info") == 2
    assert capsys.readouterr().err.startswith(f"eplb-xp: {SWITCH} must be 0")
