"""The progress bar: on a terminal alone, and only after a while."""

import io
import json
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from rich.progress import Progress

from eplb_xp.cli import progress
from tests.support.command_line import plan, run


class Terminal(io.StringIO):
    """What says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_preferences(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment may say of terminals."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_long_work_is_announced_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.05)
    with redirect_stderr(Terminal()) as terminal, progress.progress(3, hidden=False) as announce:
        announce("planning greedy")
        announce("planning swap")
        time.sleep(0.5)
    assert "planning swap 2/3" in terminal.getvalue()
    assert "greedy" not in terminal.getvalue()  # done before the bar came up


def test_the_bar_counts_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(Progress, "update", lambda *_, completed, **__: done.append(completed))
    with redirect_stderr(Terminal()), progress.progress(2, hidden=False) as announce:
        announce("the first")
        announce("the second")
    assert done == [0, 1]


def test_short_work_shows_nothing() -> None:
    with redirect_stderr(Terminal()) as terminal, progress.progress(1, hidden=False) as announce:
        announce("planning greedy")
    assert terminal.getvalue() == ""


def test_an_error_ends_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)

    def fail() -> None:
        with progress.progress(1, hidden=False):
            time.sleep(0.2)
            raise ValueError("an error")

    with redirect_stderr(Terminal()) as terminal, pytest.raises(ValueError, match="an error"):
        fail()
    ended = terminal.getvalue()
    assert "\x1b[?25h" in ended  # the cursor is back
    time.sleep(0.3)
    assert terminal.getvalue() == ended


def test_a_bar_that_comes_up_at_the_very_end_goes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_start(bar: Progress) -> None:
        time.sleep(0.2)
        start(bar)

    start = Progress.start
    monkeypatch.setattr(Progress, "start", slow_start)
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    with redirect_stderr(Terminal()) as terminal:
        with progress.progress(1, hidden=False):
            time.sleep(0.05)
        ended = terminal.getvalue()
        time.sleep(0.3)
    assert terminal.getvalue() == ended


@pytest.mark.parametrize(("stderr", "hidden"), [(Terminal, True), (io.StringIO, False)])
def test_no_bar_where_it_is_hidden_or_no_terminal(
    stderr: type[io.StringIO], hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    with redirect_stderr(stderr()) as shown, progress.progress(1, hidden=hidden) as announce:
        announce("planning")
        time.sleep(0.2)
    assert shown.getvalue() == ""


class AtOnce:
    """A timer that is not waited for."""

    def __init__(self, _: float, function: Callable[[], None]) -> None:
        self.start = function

    def cancel(self) -> None: ...

    def join(self) -> None: ...


def test_commands_show_it_and_json_does_not(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "Timer", AtOnce)
    planned = file.with_name("plan.npz")
    assert plan(file, "-o", planned) == 0
    sizes = ("--num-replicas=8", "--num-gpus=4")
    following = (*sizes, "--num-nodes=2", "--num-groups=2", "--previous", planned)
    commands = (
        ["plan", file, *sizes],
        ["evaluate", planned, file],
        ["frontier", file, *following],
        ["sweep", file],
        ["demo", "--preset=gpt-oss-20b"],
    )
    for command in commands:
        capsys.readouterr()
        with redirect_stderr(Terminal()) as quiet:
            assert run(*command, "--json") == 0
        json.loads(capsys.readouterr().out)
        assert quiet.getvalue() == ""
        with redirect_stderr(Terminal()) as shown:
            assert run(*command) == 0
        assert shown.getvalue() != ""
        assert "\x1b" not in capsys.readouterr().out
