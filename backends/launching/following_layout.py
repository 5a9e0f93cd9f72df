"""Where in memory kernels keep what they read again, in words.

A layer has a block, which the first kernel writes; each path has one of its own, and so has the plan that is chosen.
"""

from dataclasses import dataclass

from eplb_xp.backends.launching.following_shape import FollowingShape


@dataclass(frozen=True)
class Following(FollowingShape):
    """A shape, and where each thing lies in a block."""

    # Of a placing: where it begins stands in the block of a layer, at `begun_at`, and paths change their own.

    @property
    def tag_at(self) -> int:
        """The expert in each place, rank * GPUs + GPU, and what is beside it (`view.BEYOND`)."""
        return 0

    @property
    def held_at(self) -> int:
        """The share in each place."""
        return self.tag_at + self.slots

    @property
    def count_at(self) -> int:
        """Replicas of each expert."""
        return self.held_at + self.slots

    @property
    def share_at(self) -> int:
        return self.count_at + self.experts

    @property
    def less_at(self) -> int:
        return self.share_at + self.experts

    @property
    def more_at(self) -> int:
        return self.less_at + self.experts

    @property
    def mask_at(self) -> int:
        """The GPUs that hold each expert."""
        return self.more_at + self.experts

    @property
    def spare_at(self) -> int:
        """The expert of every replica that is not its first."""
        return self.mask_at + self.words * self.experts

    @property
    def list_at(self) -> int:
        """Places whose expert has others, and -1."""
        return self.spare_at + self.spares

    @property
    def placing_words(self) -> int:
        return self.list_at + self.listed

    # Of a path, behind its placing.

    @property
    def best_at(self) -> int:
        """The tags of the best placing."""
        return self.placing_words

    @property
    def high_at(self) -> int:
        """What its busiest GPU has."""
        return self.best_at + self.slots

    @property
    def excess_at(self) -> int:
        """What each GPU has above the target, at its leaf."""
        return self.high_at + 1

    @property
    def code_at(self) -> int:
        """What it costs to bring our experts to each GPU."""
        return self.excess_at + self.gpus2

    @property
    def relief_at(self) -> int:
        return self.code_at + self.slots

    @property
    def our_less_at(self) -> int:
        return self.relief_at + self.capacity

    @property
    def paid_at(self) -> int:
        """What holders of each expert pay for one replica fewer."""
        return self.our_less_at + self.capacity

    @property
    def todo_at(self) -> int:
        """Experts of which that is to be found anew."""
        return self.paid_at + self.experts

    @property
    def earlier_at(self) -> int:
        """What each GPU had above the target one step earlier."""
        return self.todo_at + self.spares

    @property
    def path_words(self) -> int:
        return (self.earlier_at + self.gpus + 31) // 32 * 32

    # Of a layer.

    @property
    def load_at(self) -> int:
        return 0

    @property
    def lowest_at(self) -> int:
        """The mean GPU load of the node that has most."""
        return self.load_at + self.experts

    @property
    def total_at(self) -> int:
        return self.lowest_at + 1

    @property
    def first_at(self) -> int:
        """What the busiest GPU has where a search begins."""
        return self.total_at + 1

    @property
    def left_at(self) -> int:
        """The budget, less what was spent on empty slots."""
        return self.first_at + 1

    @property
    def before_at(self) -> int:
        """The expert that was in each place, or -1."""
        return self.left_at + 1

    @property
    def was_at(self) -> int:
        """The GPUs that held each expert."""
        return self.before_at + self.slots

    @property
    def node_at(self) -> int:
        """The node of each expert."""
        return self.was_at + self.words * self.experts

    @property
    def group_at(self) -> int:
        """The node of each group."""
        return self.node_at + self.experts

    @property
    def pair_at(self) -> int:
        """How much of each group each node holds."""
        return self.group_at + self.groups

    @property
    def gpu_load_at(self) -> int:
        return self.pair_at + self.pairs

    @property
    def begun_at(self) -> int:
        return self.gpu_load_at + self.gpus

    @property
    def layer_words(self) -> int:
        return (self.begun_at + self.placing_words + 31) // 32 * 32

    # Of the plan that is chosen.

    @property
    def want_at(self) -> int:
        """Which copy each place waits for."""
        return self.count_at + self.experts

    @property
    def plan_words(self) -> int:
        return self.want_at + self.slots
