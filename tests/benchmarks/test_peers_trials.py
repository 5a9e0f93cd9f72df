"""What others' planners make of bad loads: each outcome, and calls that end badly."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from benchmarks.peers import behaviour, outcomes, trials
from benchmarks.peers.ours import OURS
from benchmarks.peers.peer import Peer, Planner, in_order
from benchmarks.quality.sizes import Size
from eplb_xp.simulation.arrays import Numbers
from tests.support.paths import ROOT
from tests.support.peers import KEEPS


def _raises(error: Exception) -> Numbers:
    raise error


def _asserts(statement: str) -> Numbers:
    exec(statement)  # noqa: S102  what pytest doesn't write a message for
    return np.empty(0)


def _slots(*values: int) -> Numbers:
    return np.array([values])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (partial(_raises, ValueError("41 slots do not divide")), "refused in words: ValueError"),
        (partial(_raises, ValueError("axis")), "fails inside: ValueError"),
        (partial(np.zeros(3).reshape, 2), "fails inside: ValueError"),
        (partial(_asserts, "assert 0"), "an assert without a message"),
        (partial(_asserts, "assert 0, 'not so'"), "an assert with a message"),
        (partial(_slots, 0, 1, 2, 0, 1), "a plan"),
        (partial(_slots, 0, 1, 2, 0, 0), "a plan; one expert has all spare slots"),
        (partial(_slots, 0, 1, 0, 0, 0), "**a plan in which 1 expert is missing**"),
        (partial(_slots, 0, 1, 2), "a plan of 3 slots, not 5"),
        (partial(_slots, 0, 1, 2, 3, 0), "a plan with an expert that there is not"),
    ],
)
def test_what_comes_of_a_call(call: Callable[[], Numbers], says: str) -> None:
    assert outcomes.of_call(call, (1, 5), 3) == says


# In a process of its own: one in which JAX has run may not fork.
APART = """
import os, signal, time
from benchmarks.peers.apart import apart

def raises():
    raise ValueError("no")

print(apart(lambda: "well"))
print(apart(lambda: os.kill(os.getpid(), signal.SIGSEGV)))
print(apart(lambda: time.sleep(60), 0.2))
print(apart(lambda: os._exit(3)))
print(apart(raises))
"""


def test_what_hangs_or_is_killed_is_said() -> None:
    run = subprocess.run([sys.executable, "-c", APART], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 # our own code
    assert run.stdout.splitlines() == [
        "well",
        "kills the process: SIGSEGV",
        "hangs: no answer in 0.2 seconds",
        "ends the process with 3",
        "ValueError: no",
    ]


def test_trials_of_made_planners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviour, "apart", lambda call: call())
    drawn = np.random.default_rng(0)

    def shuffles(size: Size) -> Planner:
        return lambda *_: lambda: drawn.permuted(in_order(trials.LAYERS, trials.EXPERTS, size), axis=1)

    announced: list[str] = []
    keeps, restless = behaviour.behaviours([KEEPS, Peer("restless", "", shuffles)], announced.append)
    assert announced == ["bad loads, keeps", "bad loads, restless"]
    assert keeps.outcomes == (*["a plan"] * 4, trials.NO_SIZE, trials.SAME, trials.ONE_LIBRARY)
    assert restless.outcomes[-2] == trials.OTHER


@pytest.mark.parametrize("ours", OURS, ids=lambda each: each.name)
def test_ours_refuse_in_words_and_repeat_themselves(ours: Peer) -> None:
    found = dict(zip([trial.name for trial in trials.TRIALS], [trial.of(ours) for trial in trials.TRIALS], strict=True))
    zero = found.pop("all zero")
    assert zero.startswith("a plan")
    assert [found.pop(name) for name in ("the same loads again", "arrays of another library")] == [trials.SAME] * 2
    assert set(found.values()) == {"refused in words: ValueError"}
