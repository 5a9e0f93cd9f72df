"""How plans that follow others are launched: the sizes that kernels are compiled for, and the memory they need."""

from dataclasses import dataclass, replace

from eplb_xp.backends.launching.following_layout import Following
from eplb_xp.backends.launching.launch import MOST_EXPERTS, MOST_REPLICAS, MOST_WORDS
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes

# An expert's GPUs are bits of four words at most, and the rank of a slot in its GPU is five bits of a key.
MOST_GPUS = 128
MOST_CAPACITY = 31
# Groups times nodes, which are compared with each other all at once.
MOST_PAIRS = 4096


@dataclass(frozen=True)
class Launch:
    """The kernels of a plan: how many programs each has, and the words of memory that each writes for later ones."""

    sizes: Following
    layers: int

    @property
    def of_narrow(self) -> Following:
        """What the second paths are compiled for."""
        return replace(self.sizes, is_narrow=True)

    @property
    def programs(self) -> tuple[int, int, int, int]:
        """Of the first kernel, of both kinds of paths, and of the last."""
        return self.layers, self.layers * self.sizes.wide, self.layers * self.sizes.narrow, self.layers

    @property
    def words(self) -> tuple[int, int, int, int]:
        its = self.sizes
        each = (its.layer_words, its.path_words, its.path_words, its.plan_words)
        begun, wide, narrow, chosen = (programs * words for programs, words in zip(self.programs, each, strict=True))
        return begun, wide, narrow, chosen


def launch(shape: tuple[int, ...], sizes: Sizes, policy: Policy, far_cost: int) -> Launch | Refusal:
    """How to launch a plan for loads [layers, samples, experts], or why kernels leave it to the once-written code."""
    layers, samples, experts = shape
    capacity = sizes.num_replicas // sizes.num_gpus
    for name, number, most in (
        ("experts", experts, MOST_EXPERTS),
        ("replicas", sizes.num_replicas, MOST_REPLICAS),
        ("GPUs", sizes.num_gpus, MOST_GPUS),
        ("slots a GPU", capacity, MOST_CAPACITY),
        ("groups times nodes", sizes.num_groups * sizes.num_nodes, MOST_PAIRS),
    ):
        if number > most:
            return Refusal(f"the kernels follow a plan with at most {most} {name}, got {number}")
    if samples > 1:
        return Refusal(f"the kernels follow a plan with loads of one sample, got {samples}")
    if far_cost > 1:
        return Refusal(f"the kernels follow a plan where all moves count the same, got far_cost={far_cost}")
    if layers == 0:
        return Refusal("there are no layers")
    its = Following(
        experts=experts,
        slots=sizes.num_replicas,
        gpus=sizes.num_gpus,
        groups=sizes.num_groups,
        nodes=sizes.num_nodes,
        most=sizes.max_replicas or sizes.num_replicas,
        is_capped=sizes.max_replicas is not None,
        width=sizes.width(experts),
        keeps_links=policy.ring,
    )
    how = Launch(its, layers)
    words = sum(how.words)
    if words > MOST_WORDS:
        return Refusal(f"the kernels would need {words * 4 / 2**30:.1f} GiB of memory, and take at most 1 GiB")
    return how
