"""What a machine takes, measured on one that is made up, and on the processor at hand."""

import pytest

from eplb_xp.backends.timing.machine import Experts, timed
from eplb_xp.simulation import MODELS, Cost, Model, cost_of, machine_of, measure


class MadeUp:
    """A machine whose experts take two seconds for 10^6 weights, or one for 10^6 products with tokens."""

    name = "made up"

    def __init__(self, devices: int = 1, *, is_gpu: bool = True) -> None:
        self.devices = devices
        self.is_gpu = is_gpu
        self.asked: list[Experts] = []

    def product(self, experts: Experts) -> float:
        self.asked.append(experts)
        weights = 3 * experts.hidden * experts.intermediate
        return experts.number * max(2 * weights, weights * experts.tokens / 100) / 1e6

    def copy(self, size: int) -> float:
        return size / 1e9


def test_few_tokens_tell_what_a_slot_takes_and_many_what_a_token_does() -> None:
    machine = MadeUp(2)
    told: list[str] = []
    found = measure(machine, Model(10, 20), experts=4, announce=told.append)
    assert found.cost == pytest.approx(
        {"seconds_per_token": 6e-6, "seconds_per_active_slot": 1.2e-3, "seconds_per_move": 1.2e-6}
    )
    assert cost_of("h100", "kimi-k2")._replace(**found.cost).seconds_per_far_move > 0
    assert [each.tokens for each in found.products] == [experts.tokens for experts in machine.asked]
    assert told == [*(f"experts with {each.tokens} tokens" for each in found.products), "a copy to the next device"]
    assert found.missing == ["moves to another node, shares"]


def test_what_takes_long_is_not_made_longer() -> None:
    machine = MadeUp()
    found = measure(machine, "deepseek-v3")
    assert len(machine.asked) == 1
    assert machine.asked[0][2:] == MODELS["deepseek-v3"][:2]
    assert found.missing[0] == "moves: there is one device"


def test_a_processor_says_what_it_can_not() -> None:
    found = measure(MadeUp(is_gpu=False), Model(10, 20))
    assert found.missing[:2] == ["a GPU's products: these are a processor's, in float32", "moves: there is no GPU"]
    assert "seconds_per_move" not in found.cost


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_the_machine_at_hand(name: str) -> None:
    machine = machine_of(name)
    found = measure(machine, Model(32, 16), experts=2)
    assert found.machine
    assert all(each.seconds > 0 for each in found.products)
    assert set(found.cost) >= {"seconds_per_token", "seconds_per_active_slot"}
    assert set(found.cost) <= set(Cost._fields)


def test_a_library_that_there_is_none_of() -> None:
    with pytest.raises(ValueError, match="measured by torch or jax, got 'numpy'"):
        machine_of("numpy")


def test_calls_are_timed_when_they_are_done() -> None:
    calls, finished = [], []
    assert timed(lambda: calls.append(0), lambda: finished.append(len(calls))) > 0
    assert finished[-1] == len(calls)  # no call is left over
    assert finished[0] >= 2
