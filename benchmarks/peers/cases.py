"""Loads in windows, and the sizes to plan for. Recordings lie beside the repository and are not part of it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.quality.sizes import SIZES, Size
from eplb_xp.loads import generate, read
from eplb_xp.simulation.arrays import Numbers
from tests.support.paths import SHARED

STEPS = 16  # of a window of generated loads
OF_256 = tuple(
    size for size in SIZES[256] if size in {Size(288, 32), Size(288, 32, 8, 4), Size(320, 64), Size(384, 128)}
)


class Case(NamedTuple):
    """Loads by name: each window is planned for, and the plan judged on the one after it."""

    name: str
    steps: Callable[[int], Numbers]  # from a seed: [steps, layers, experts]
    window: int
    sizes: tuple[Size, ...]
    file: Path | None = None

    @property
    def is_there(self) -> bool:
        """Whether the loads can be made."""
        return self.file is None or self.file.exists()

    def windows(self, seed: int) -> Numbers:
        """The loads, cut up: [windows, steps, layers, experts]."""
        load = self.steps(seed)
        number = len(load) // self.window
        return load[: number * self.window].reshape(number, self.window, *load.shape[1:])


def generated(preset: str, windows: int, seed: int) -> Numbers:
    """Steps of a preset."""
    return generate(preset, steps=windows * STEPS, seed=seed)


def recorded(file: Path, steps: int, _: int) -> Numbers:
    """The first steps of a recording."""
    return read(file, steps=slice(0, steps))


def _recording(name: str, file: str, steps: int, window: int, sizes: tuple[Size, ...]) -> Case:
    path = SHARED / "loads" / f"{file}.npz"
    return Case(f"recorded {name}", partial(recorded, path, steps), window, sizes, path)


CASES = (
    _recording("gpt-oss-20b, decode", "gptoss20b_decode_bydomain_b64", 1500, 50, (Size(40, 8),)),
    _recording("DeepSeek-V2-Lite, prefill", "dsv2lite_esft_prefill_chunk512", 64, 8, (Size(72, 8),)),
    _recording("DeepSeek-R1, one step", "dsr1_nvfp4_srtslurm_8k1k", 1, 1, OF_256),
    Case("deepseek-v3-decode", partial(generated, "deepseek-v3-decode", 5), STEPS, OF_256),
    Case("deepseek-v3-prefill", partial(generated, "deepseek-v3-prefill", 5), STEPS, OF_256),
    Case("qwen3-235b-decode", partial(generated, "qwen3-235b-decode", 5), STEPS, (Size(144, 16),)),
)
