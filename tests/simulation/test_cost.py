"""What steps and moves cost, and where presets come from."""

import numpy as np
import pytest

from eplb_xp.simulation import GPUS, MODELS, Cost, Gpu, Model, cost_of


def test_a_layer_takes_its_busiest_gpu_and_a_slot_its_weights_at_least() -> None:
    cost = Cost(0.5, 10.0)
    #        GPU 0: 10 + 20    GPU 1: 50 + 0    half a token is one every other time
    tokens = np.array([[4, 40, 100, 0], [0, 0, 0.5, 0]])
    assert cost.of_layers(tokens, 2).tolist() == [50.0, 5.0]


def test_moves_take_what_the_busiest_gpu_does_less_what_is_hidden() -> None:
    cost = Cost(0, 0, seconds_per_move=1.0, seconds_per_far_move=8.0, overlap=0.75)
    near, far = np.array([[3, 0], [1, 1]]), np.array([[0, 1], [0, 0]])
    assert cost.of_moves(near, far).tolist() == [2.0, 0.25]


def test_presets_are_what_was_measured() -> None:
    """Experts in bfloat16 on four H200s: seconds of an active slot, a token, a move to a neighbour (docs/layers.md)."""
    for model, slot, token, move in (
        ("deepseek-v3", 28.5e-6, 0.127e-6, 578e-6),
        ("qwen3-235b", 12.7e-6, 0.055e-6, 242e-6),
    ):
        cost = cost_of("h200", model)
        assert cost.seconds_per_active_slot == pytest.approx(slot, rel=0.04)
        assert cost.seconds_per_token == pytest.approx(token, rel=0.02)
        assert cost.seconds_per_move == pytest.approx(move, rel=0.03)
    assert MODELS["deepseek-v3"].expert_bytes == 88_080_384


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("model", MODELS)
def test_every_preset_is_a_cost(gpu: str, model: str) -> None:
    cost = cost_of(gpu, model, overlap=0.5)
    assert 0 < cost.seconds_per_token < cost.seconds_per_active_slot < cost.seconds_per_move < cost.seconds_per_far_move
    assert cost.overlap == 0.5


def test_others_are_given_by_their_figures() -> None:
    twice = cost_of(Gpu(2e12, 2e12, 2e11, 2e10), Model(100, 50, 1))
    once = cost_of(Gpu(1e12, 1e12, 1e11, 1e10), Model(100, 50, 1))
    assert [2 * each for each in twice[:4]] == pytest.approx(once[:4])
    with pytest.raises(ValueError, match=r"gpu must be one of a100, .* or its own figures, got 'h1000'"):
        cost_of("h1000", "kimi-k2")
    with pytest.raises(ValueError, match=r"model must be one of deepseek-v3, .*, got 'x'"):
        cost_of("h100", "x")
