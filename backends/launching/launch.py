"""How a plan is launched: the shape that its kernels are compiled for, and the memory they need."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from eplb_xp.backends.launching.describing import described
from eplb_xp.backends.launching.layout import Layout
from eplb_xp.backends.launching.shape import power
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes

MOST_EXPERTS = 1024
MOST_REPLICAS = 2048
MOST_GPUS = 1024
MOST_WORDS = 2**28  # a gibibyte

# What Triton has pointers to; loads of other dtypes are converted first.
DTYPES = (
    *("float16", "bfloat16", "float32", "float64"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)

# So many programs keep a GPU busy; beyond that several starts of a row share one.
PROGRAMS = 32768

# What NVIDIA's instructions can name, and about how many programs of one warp an H100 has room for with all of them.
REGISTERS = 255
ROOM = 1024


class Launched(NamedTuple):
    """A kernel of a plan, by its name in `kernels/`, its programs, and how many warps each of them has."""

    kernel: str
    programs: int
    warps: int


@dataclass(frozen=True)
class Launch:
    """The kernels of a plan, one after the other, and the words of memory between them."""

    shape: Layout
    kernels: tuple[Launched, ...]
    words: int


def launch(layers: int, experts: int, sizes: Sizes, policy: Policy) -> Launch | Refusal:
    """How to launch a plan, or why the kernels leave it to the once-written code."""
    for name, number, most in (
        ("experts", experts, MOST_EXPERTS),
        ("replicas", sizes.num_replicas, MOST_REPLICAS),
        ("GPUs", sizes.num_gpus, MOST_GPUS),
    ):
        if number > most:
            return Refusal(f"the kernels plan for at most {most} {name}, got {number}")
    if layers == 0:
        return Refusal("there are no layers")
    shape = described(Layout, experts, sizes, policy)
    # As many programs for a row as keep a GPU busy and have room; several starts share one where that is not enough.
    programs = max(min(PROGRAMS, MOST_WORDS // 2 // shape.words) // (layers * shape.rows), 1)
    rows = layers * shape.rows
    shape = replace(shape, parts=-(-shape.starts // -(-shape.starts // programs)), registers=_registers(shape, rows))
    words = rows * shape.parts * shape.words
    if shape.levels:
        words += rows * (shape.record_words + shape.blocks * shape.words) + 1
    if words > MOST_WORDS:
        return Refusal(f"the kernels would need {words * 4 / 2**30:.1f} GiB of memory, and take at most 1 GiB")
    kernels, warps = [Launched("prepare", rows, 4)], _warps(shape)
    if shape.improves:
        improving = "choose" if shape.shares_code else "improve"
        kernels.append(Launched(improving, rows * shape.parts, warps))
    if shape.compares:
        kernels.append(Launched("choose", layers * shape.layer_programs, warps))
    return Launch(shape, tuple(kernels), words)


def _registers(shape: Layout, rows: int) -> int | None:
    """All of them for candidates with most of a plan's steps, if those that are improved have room beside each other.

    The compiler takes fewer by itself, so that more programs have room, and loops get slower.
    """
    is_long = shape.levels > 0 and shape.alike and shape.steps > 0
    return REGISTERS if is_long and rows * shape.refined <= ROOM else None


def _warps(shape: Layout) -> int:
    """Swaps go fastest in one warp, which has no barriers, as long as it holds the table in its registers."""
    entries = shape.columns2 * shape.capacity2 + (shape.linked2 if shape.ring else 0)
    return min(max(power(entries) // 1024, 1), 16)
