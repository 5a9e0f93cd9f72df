"""How routes are launched: the sizes that their kernels are compiled for, and the memory between them."""

from dataclasses import dataclass

from eplb_xp.backends.launching.launch import MOST_EXPERTS, MOST_REPLICAS, MOST_WORDS
from eplb_xp.backends.launching.shape import power
from eplb_xp.backends.takeover import Refusal

# Tokens are counted choice by choice. In one launch each program reads all of them, and has as few as a word has bits.
FEW, FEW_BLOCK = 4096, 32
# In two each program reads what was counted of the blocks before its own; 4,096 tokens of eight choices are 128 blocks,
# and an H100 has 132 multiprocessors.
BLOCK = 256
COUNTS, MOST_BLOCKS = 2**15, 128  # that are read at once; the sum of so many fits 16 bits
MOST_TOKENS = 2**18
MOST_ROWS = 2**16 - 1  # so many programs may stand side by side


@dataclass(frozen=True)
class Routing:
    """Sizes that kernels are compiled for: the number of tokens is none of them, since every batch has another."""

    experts: int
    width: int
    block: int  # tokens of a program
    words: int  # of 32 tokens each, which it counts
    by_quota: bool
    has_first: bool
    index_bits: int

    @property
    def bits2(self) -> int:
        """Bits of an expert's number, and of that of none."""
        return power(self.experts.bit_length())

    @property
    def experts2(self) -> int:
        return max(power(self.experts), 32)

    @property
    def asked2(self) -> int:
        """All experts, and those of a block's tokens."""
        return power(self.experts2 + self.block)

    @property
    def steps(self) -> int:
        """Of a search among replicas."""
        return self.width.bit_length()

    @property
    def blocks(self) -> int:
        """Of which counts are read at once."""
        return min(COUNTS // self.experts2, MOST_BLOCKS)

    @property
    def count_warps(self) -> int:
        """A thread for whatever is asked for."""
        return min(self.asked2 // 32, 32)

    @property
    def warps(self) -> int:
        """A token for each thread of a block, or some words for each warp."""
        return min(max(self.block // 32, self.words // 2, min(self.words, 4)), 8)


@dataclass(frozen=True)
class Launch:
    """The kernels of a route: programs of each row, and 16-bit integers between two kernels, 0 where there is one."""

    sizes: Routing
    programs: int
    entries: int


def launch(
    shape: tuple[int, int], width: int, experts: int, *, by_quota: bool, has_first: bool, index_bits: int
) -> Launch | Refusal:
    """How to route rows of tokens, [rows, tokens], or why the kernels leave it to the once-written code."""
    rows, tokens = shape
    for name, number, most in (
        ("experts", experts, MOST_EXPERTS),
        ("replicas of an expert", width, MOST_REPLICAS),
        ("choices of tokens", tokens, MOST_TOKENS),
        ("batches at once", rows, MOST_ROWS),
    ):
        if number > most:
            return Refusal(f"the kernels route at most {most} {name}, got {number}")
    if 0 in (rows, tokens, experts, width):
        return Refusal("there are no tokens, or no slots for them")
    is_few = tokens <= FEW
    block = FEW_BLOCK if is_few else BLOCK
    words = (max(power(tokens), FEW_BLOCK) if is_few else BLOCK) // 32
    sizes = Routing(experts, width, block, words, by_quota, has_first, index_bits)
    programs = -(-tokens // block)
    entries = 0 if is_few else rows * programs * (sizes.experts2 + block)
    if entries > 2 * MOST_WORDS:
        return Refusal(f"the kernels would need {entries * 2 / 2**30:.1f} GiB of memory, and take at most 1 GiB")
    return Launch(sizes, programs, entries)
