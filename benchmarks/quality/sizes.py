"""The sizes that plans are judged for, by the number of experts."""

from collections.abc import Mapping
from typing import NamedTuple


class Size(NamedTuple):
    """What a plan is for."""

    replicas: int
    gpus: int
    groups: int = 1
    nodes: int = 1

    def __str__(self) -> str:
        where = f", {self.nodes} nodes" if self.nodes > 1 else ""
        return f"{self.replicas} / {self.gpus}{where}"


SIZES: Mapping[int, tuple[Size, ...]] = {
    32: (Size(40, 8), Size(48, 16)),
    64: (Size(72, 8), Size(96, 32)),
    128: (Size(144, 16), Size(192, 64)),
    256: (
        Size(288, 32),
        Size(288, 32, groups=8, nodes=4),
        Size(288, 72),
        Size(320, 64),
        Size(320, 160),
        Size(384, 128),
    ),
    384: (Size(416, 32),),
}
