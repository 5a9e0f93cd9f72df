"""What is run: models, loads, slots and tokens."""

from typing import NamedTuple

from eplb_xp.simulation.presets import GPUS, MODELS, Model

PREFILL, DECODE = "prefill", "decode"
PLANNED = 40  # steps that placements are made from; the batches are drawn from those that follow


def preset_of(gpu: str) -> str:
    """The preset of costs that is nearest to a GPU of this name."""
    return next((name for name in GPUS if name in gpu.lower()), "h100")


class System(NamedTuple):
    """Experts of one layer, their slots, and the tokens that come."""

    name: str
    phase: str
    model: Model
    preset: str  # of `eplb_xp.loads`
    experts: int
    replicas: int  # of placements that have spares; experts in order have none
    choices: int  # experts of a token
    tokens: tuple[int, ...]  # of a rank and batch, one size after the other
    layers: tuple[int, ...]  # of the preset: each has a placement of its own
    batches: int  # of a layer


def systems(gpus: int) -> list[System]:
    """Whole layers of two models, and a cut that gives each GPU what it has on 32.

    With all experts of a model on few GPUs each has many slots, and these are even among themselves. So one system has
    every so many expert of a layer, nine slots a GPU, and each of its tokens stands for one choice.
    """
    v3, qwen = MODELS["deepseek-v3"], MODELS["qwen3-235b"]
    cut = (8 * gpus, 9 * gpus, 1)
    return [
        System("DeepSeek-V3", PREFILL, v3, "deepseek-v3-prefill", 256, 288, 8, (4096,), (3, 30), 8),
        System("DeepSeek-V3, cut", PREFILL, v3, "deepseek-v3-prefill", *cut, (16384,), (3, 30), 8),
        System("Qwen3-235B", PREFILL, qwen, "qwen3-235b-prefill", 128, 144, 8, (4096,), (3, 40), 8),
        System("DeepSeek-V3", DECODE, v3, "deepseek-v3-decode", 256, 288, 8, (16, 64, 256), (3, 30), 6),
        System("DeepSeek-V3, cut", DECODE, v3, "deepseek-v3-decode", *cut, (16, 64, 256, 1024), (3, 30), 6),
        System("Qwen3-235B", DECODE, qwen, "qwen3-235b-decode", 128, 144, 8, (16, 64, 256), (3, 40), 6),
    ]


def tiny(gpus: int) -> list[System]:
    """Systems for a processor: to see that all of it is right, not to time it."""
    model, sizes = Model(32, 16), (8 * gpus, 10 * gpus)
    return [
        System("tiny", PREFILL, model, "deepseek-v3-prefill", *sizes, 2, (96,), (30,), 2),
        System("tiny", DECODE, model, "deepseek-v3-decode", *sizes, 2, (4, 16), (30,), 2),
    ]
