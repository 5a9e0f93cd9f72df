"""The sizes that growth is measured over: layers, experts and GPUs, one at a time."""

from typing import NamedTuple


class Size(NamedTuple):
    """What a plan is for."""

    layers: int = 58
    experts: int = 256
    gpus: int = 32

    def __str__(self) -> str:
        return f"{self.layers} layers, {self.experts} experts, {self.gpus} GPUs"

    @property
    def replicas(self) -> int:
        """An eighth more than experts, and at least two slots a GPU, rounded up to a multiple of the GPUs."""
        return -(-max(self.experts * 9 // 8, 2 * self.gpus) // self.gpus) * self.gpus

    @property
    def integers(self) -> int:
        """Entries of the three maps of its plan."""
        return self.layers * (self.replicas + self.experts * (self.replicas - self.experts + 1) + self.experts)


AXES: dict[str, list[Size]] = {
    "layers": [Size(layers=number) for number in (1, 8, 58, 250, 1000)],
    "experts": [Size(experts=number) for number in (64, 128, 256, 512, 1024)],
    "GPUs": [Size(gpus=number) for number in (8, 32, 128, 512, 1024)],
}


def along(axis: str, size: Size) -> int:
    """Where a size stands on its axis."""
    number: int = getattr(size, axis.lower())
    return number
