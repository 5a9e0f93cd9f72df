"""Weights that travel between JAX's devices: all arrive, in place, and nothing else travels, as the programs say."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.support import jax_transfers as transfers
from tests.support.examples import run
from tests.support.paths import ROOT
from tests.support.plain_programs import plain_environment
from tests.support.travelling import EXPERT_BYTES, LAYERS, drifted

pytestmark = pytest.mark.usefixtures("plainly_compiled")
GPUS, CAPACITY = 4, 10
CHANGE = drifted(GPUS, CAPACITY)[0]


@pytest.fixture
def arguments() -> tuple[Any, ...]:
    """As they are for one layer, four GPUs, and a few of ten slots."""
    return transfers.put(transfers.held_before(CHANGE), GPUS), 0, transfers.EXAMPLE.routes(CHANGE.moves.source, GPUS)


def test_weights_arrive() -> None:
    transfers.main(GPUS)


def test_weights_arrive_on_eight_devices() -> None:
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8"} | plain_environment()
    command = [sys.executable, "-m", "tests.support.jax_transfers", "8"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 # our own program
    assert result.returncode == 0, result.stderr
    assert result.stdout == "8 devices\n"


def test_the_example() -> None:
    result = run("jax_moves.py", "--gpus", "8")
    assert result.returncode == 0, result.stderr
    moved, rows, found, layer, last = result.stdout.splitlines()
    numbers = [[int(n) for n in re.findall(r"\d+", line)] for line in (moved, rows, found, layer)]
    assert numbers[0][0] * 5 < numbers[0][1]
    assert "{'all-to-all': " in found
    assert numbers[2][0] == sum(numbers[1]) * numbers[3][0] / 10 < numbers[3][0]  # ten slots
    assert last == "All slots hold their experts."


def test_only_rows_travel_in_the_compiled_program(arguments: tuple[Any, ...]) -> None:
    """Each twice, in as many parts as there are devices, to which it is filled up; and the weights are donated."""
    program = transfers.mover(GPUS).lower(*arguments).compile()
    ways = arguments[2]
    rows = ways.leaving.shape[2] + ways.arriving.shape[2]
    assert rows < CAPACITY
    filled = EXPERT_BYTES + 3 * 4 + 3 * 2  # the scale, and five zeros
    assert transfers.EXAMPLE.collectives(program.as_text()) == {"all-to-all": rows * filled}
    assert program.memory_analysis().alias_size_in_bytes == EXPERT_BYTES * LAYERS * CAPACITY


def test_collectives_of_a_program() -> None:
    text = """
      %a = (f32[1,8]{1,0}, /*index=1*/bf16[2,3]{1,0}) all-to-all(%x, %y), channel_id=1
      %b = s16[]{} all-gather(%a)
      %c = ((u8[7]{0}), u8[7]{0}) all-to-all-start(%b)
      %e = u8[7]{0} all-to-all-done(%c)
      %d = f32[9]{0} add(%all-to-all, %a)
    """
    assert transfers.EXAMPLE.collectives(text) == {"all-to-all": 8 * 4 + 6 * 2 + 7, "all-gather": 2}
