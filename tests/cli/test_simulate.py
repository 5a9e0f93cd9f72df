"""``eplb-xp simulate``: what strategies promise, bring and cost."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eplb_xp import loads
from eplb_xp.simulation import Score, Strategy, cost_of, recommend, simulate, usual
from tests.support.command_line import document, rows, run

TRACE = np.random.default_rng(3).integers(1, 90, (14, 2, 8))
SIZES = ("--num-replicas=12", "--num-gpus=4", "--every=4")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Fourteen steps."""
    np.save(tmp_path / "trace.npy", TRACE)
    return tmp_path / "trace.npy"


def expected(*others: Strategy, **settings: Any) -> list[Score]:
    """What the library says."""
    given: dict[str, Any] = {"window": 4, "cost": cost_of("h200", "deepseek-v3"), **settings}
    return simulate(TRACE, 12, 1, 1, 4, strategies=[*usual(4, given["window"]), *others], **given)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ((), {}),
        (("--window=3", "--delay=1", "--layers-per-step=1"), {"window": 3, "delay": 1, "layers_per_step": 1}),
        (
            ("--gpu=h100", "--model=kimi-k2", "--tokens=4e5", "--overlap=0.5", "--gpus-per-node=2"),
            {"cost": cost_of("h100", "kimi-k2", overlap=0.5), "tokens": 4e5, "gpus_per_node": 2},
        ),
    ],
)
def test_figures_are_those_of_the_library(
    options: tuple[str, ...], settings: dict[str, Any], trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("simulate", trace, *SIZES, *options, "--json") == 0
    found = document(capsys)
    scores = expected(**({"window": 4} | settings))
    assert [each["name"] for each in found["strategies"]] == [score.strategy.name for score in scores]
    for each, score in zip(found["strategies"], scores, strict=True):
        for name in ("planned", "actual", "kept", "moved", "seconds_saved", "break_even", "by_step", "worst"):
            assert each[name] == getattr(score, name)
        assert each["bytes"] == 88_080_384 * (score.near_moves + score.far_moves)
        assert len(each["balance"]) == 14 - settings.get("window", 4)
    assert found["recommendation"] == recommend(scores)
    assert found["left_out"] == {"steps": 0, "layers": 0}
    assert (found["num_replicas"], found["every"], found["num_steps"]) == (12, 4, 14)


def test_others_are_tried_too(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    often = "often: every=2 max_moves=25% samples=2 follows=yes"
    assert run("simulate", trace, *SIZES, "--json", "--strategy", often, "--strategy", "two: max_moves=2 every=3") == 0
    first, second = document(capsys)["strategies"][-2:]
    strategies = Strategy("often", every=2, max_moves=0.25, samples=2), Strategy("two", every=3, max_moves=2)
    for found, score in zip((first, second), expected(*strategies)[-2:], strict=True):
        assert (found["actual"], found["moves"]) == (score.actual, score.moves)
    assert first["settings"] == {"every": 2, "samples": 2, "max_moves": 0.25}


def test_the_table_and_the_picture(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    idle = np.concatenate([TRACE, 0 * TRACE[:1]])
    np.save(trace, np.concatenate([idle, 0 * idle[:, :1]], axis=1))
    picture = tmp_path / "simulated.png"
    assert run("simulate", trace, *SIZES, "--tokens=4096", "--plot", picture) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    table = rows(out)
    assert set(table) >= {each.name for each in usual(4)}
    assert table["never"][0] == "-"
    assert "1 of 11 steps without tokens: left out" in out
    assert "1 of 3 layers without tokens: left out" in out
    assert "experts of deepseek-v3 on h200, 4,096 tokens a step" in out
    assert picture.stat().st_size > 20_000


GENERATED = ("--preset=gpt-oss-20b", "--num-replicas=40", "--num-gpus=8", "--every=4")


def test_generated_loads_are_simulated_on_and_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trace.npz"
    chosen = "--num-steps=20", "--seed=3", "--steps=8:", "--layers=:2"
    assert run("simulate", *GENERATED, *chosen, "--save-trace", path, "--json") == 0
    made = document(capsys)
    assert made["title"] == "generated loads, gpt-oss-20b: 20 steps, seed 3"
    np.testing.assert_array_equal(loads.read(path), loads.generate("gpt-oss-20b", steps=20, seed=3)[8:, :2])
    with np.load(path) as arrays:
        assert arrays["source"] == "generated, gpt-oss-20b, seed 3"
    assert run("simulate", path, *GENERATED[1:], "--json") == 0
    again = document(capsys)
    assert again["title"] == "trace.npz"
    assert again["strategies"] == made["strategies"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (GENERATED[1:], "give TRACE, a file, or --preset, which is one of deepseek-v3-decode, "),
        (("trace.npy", *GENERATED), "give TRACE or --preset, got both: trace.npy and gpt-oss-20b"),
        (("trace.npy", *GENERATED[1:], "--num-steps=9"), "--num-steps goes with --preset, not with TRACE; --steps A:B"),
        (("trace.npy", *GENERATED[1:], "--seed=0"), "--seed goes with --preset, not with TRACE; --steps A:B"),
        (
            ("trace.npy", *GENERATED[1:], "--save-trace=a.npz"),
            "--save-trace goes with --preset, not with TRACE; eplb-xp",
        ),
        ((*GENERATED, "--no-index-column"), "--index-column goes with TRACE, and generated loads have no such column"),
        ((*GENERATED, "--save-trace=a.npy"), "--save-trace must end in .npz, got a.npy"),
        ((*GENERATED, "--save-trace=no/a.npz"), "--save-trace no/a.npz: there is no folder no"),
        ((*GENERATED, "--num-steps=9", "--steps=9:"), "there are 9 steps, and none of them is in 9:"),
        (("--preset=gpt-oss", *GENERATED[1:]), "preset 'gpt-oss' is not known; the nearest is 'gpt-oss-20b'"),
    ],
)
def test_there_is_one_trace(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("simulate", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--every=14",), "a window of 14 steps leaves none to judge, of 14: give more steps or less of a window"),
        (("--delay=4",), "a plan every 4 steps is never in use, since one is taken up within 5"),
        (("--overlap=2",), "overlap must be between 0 and 1, got 2.0"),
        (("--tokens=-2",), "tokens must be between 0 and"),
        (("--gpu=h1",), "--gpu must be one of a100, h100, h200, b200, got 'h1'"),
        (("--model=x",), "--model must be one of deepseek-v3,"),
        (("--num-replicas=13",), "--num-replicas must be a multiple of --num-gpus: 13 is not a multiple of 4"),
        (("--strategy=often",), "--strategy must be a name, a colon and settings, such as 'often: every=10"),
        (("--strategy=a: size=3",), "--strategy a: 'size=3' is none of policy=, every=, window="),
        (("--strategy=a: every=two",), "--strategy a: every must be a number, got 'two'"),
        (("--strategy=a: max_moves=x%",), "max_moves must be a number of slots or their share such as 10%, got 'x%'"),
        (("--strategy=a: follows=1",), "--strategy a: follows must be yes or no, got '1'"),
        (("--strategy=a: half_life=-1",), "a: half_life must be above 0, got -1.0"),
        (("--strategy=once: every=3",), "strategies must have different names, got 2 of name 'once'"),
        (("--plot=a.txt",), "--plot must end in"),
    ],
)
def test_what_can_not_be_tried_is_said(
    options: tuple[str, ...], message: str, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("simulate", trace, *SIZES, *options) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
