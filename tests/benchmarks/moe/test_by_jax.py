"""JAX's layer on several devices: right in every case, and one program for all that a step does."""

import jax
import pytest

from benchmarks.moe import by_jax, systems
from benchmarks.moe.outputs import WrongOutputError
from benchmarks.moe.placements import SHARE, Case
from eplb_xp.simulation.presets import Model

GPUS = 2
PREFILL = systems.tiny(GPUS)[0]._replace(batches=1)

pytestmark = pytest.mark.usefixtures("plainly_compiled")


@pytest.fixture(autouse=True)
def one_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_jax, "CASES", (Case("ring, shares", "ring", SHARE),))


def test_shares_are_of_all_devices_tokens() -> None:
    (row,) = by_jax.measured(GPUS, PREFILL, 0, lambda _: None)
    each = [sum(row["slots"][:10]), sum(row["slots"][10:])]
    assert each == [192, 192]  # two choices of 96 tokens on both devices, halved
    assert row["layer_s"][0] > 0


def test_one_wrong_weight_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    right, calls = by_jax.weights_of, []

    def wrong(model: Model, numbers: jax.Array, dtype: object) -> by_jax.Weights:
        calls.append(numbers)
        made = right(model, numbers, dtype)
        return made._replace(down=made.down.at[0].multiply(1.01)) if len(calls) == 1 else made

    monkeypatch.setattr(by_jax, "weights_of", wrong)
    with pytest.raises(WrongOutputError, match="JAX: the output differs by"):
        list(by_jax.measured(GPUS, PREFILL, 0, lambda _: None))
