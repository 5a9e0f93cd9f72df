"""Which sizes of a plan fit together, and the nearest that do where some don't."""

from collections.abc import Sequence
from typing import NamedTuple

# The correctly rounded division is proven for divisors up to 4096 (backends/division.py), and the
# search for the last spare looks at most two replicas beyond the last one.
MOST_SPARES = 4093


class Asked(NamedTuple):
    """Sizes as they were asked for."""

    num_replicas: int
    num_groups: int
    num_nodes: int
    num_gpus: int

    @property
    def is_global(self) -> bool:
        """Whether groups don't divide over the nodes, so that both are ignored."""
        return self.num_groups % self.num_nodes != 0


class Rules(NamedTuple):
    """What sizes must be, for so many experts.

    Parameters
    ----------
    experts : int
        The number of experts.
    replicas : str
        What the caller calls the replicas.
    are_given : bool
        Whether the replicas are those of a plan that is there, so that no other number can be asked for.
    keeps_groups : bool
        Whether groups that don't divide over the nodes are refused, instead of ignored.
    """

    experts: int
    replicas: str = "num_replicas"
    are_given: bool = False
    keeps_groups: bool = False

    def fault(self, asked: Asked) -> str | None:
        """The first rule that is broken, if any."""
        return self._below_one(asked) or self._of_groups(asked) or self._of_replicas(asked) or self._of_gpus(asked)

    def _below_one(self, asked: Asked) -> str | None:
        if min(asked) >= 1:
            return None
        for name, size in zip(asked._fields, asked, strict=True):
            if size < 1 and not (self.are_given and name == "num_replicas"):
                return f"{self._called(name)} must be at least 1, got {size}"
        return None

    def _of_groups(self, asked: Asked) -> str | None:
        groups, nodes = asked.num_groups, asked.num_nodes
        if asked.is_global:
            fault = f"num_groups must be a multiple of num_nodes: {groups} is not a multiple of {nodes}"
            return fault if self.keeps_groups else None
        if self.experts % groups:
            return f"num_groups must divide the number of experts: {groups} does not divide {self.experts}"
        return None

    def _of_replicas(self, asked: Asked) -> str | None:
        if self.experts <= asked.num_replicas <= self._most:
            return None
        return (
            f"{self.replicas} must be at least the number of experts and at most {MOST_SPARES} more: "
            f"{asked.num_replicas} for {self.experts} experts is not"
        )

    def _of_gpus(self, asked: Asked) -> str | None:
        replicas, gpus, nodes = asked.num_replicas, asked.num_gpus, 1 if asked.is_global else asked.num_nodes
        if gpus < nodes:
            return (
                "num_nodes must be at most num_gpus, the number of GPUs of all nodes: "
                f"num_nodes={nodes} is more than num_gpus={gpus}"
            )
        if gpus % nodes:
            return f"num_gpus must be a multiple of num_nodes: {gpus} is not a multiple of {nodes}"
        if replicas % gpus and self.are_given:
            return f"num_gpus must divide {self.replicas}: {gpus} does not divide {replicas}"
        if replicas % gpus:
            return f"{self.replicas} must be a multiple of num_gpus: {replicas} is not a multiple of {gpus}"
        return None

    def advice(self, asked: Asked) -> str:
        """For each size the nearest that do, all others as they are; or several that do together."""
        alone = {name: self._near(asked, name) for name in asked._fields}
        if any(alone.values()):
            works = (f"{self._called(name)}={' or '.join(map(str, near))}" for name, near in alone.items() if near)
            return f"nearest that work: {', '.join(works)}"
        if not self._replicas_on(1, asked.num_replicas):
            return f"there is no plan of {asked.num_replicas} slots for so many experts"
        together = self._repaired(asked)
        works = (
            f"{self._called(name)}={size}" for name, size in together._asdict().items() if size != getattr(asked, name)
        )
        return f"nearest that work together: {', '.join(works)}"

    @property
    def _most(self) -> int:
        return self.experts + MOST_SPARES

    def _called(self, name: str) -> str:
        return self.replicas if name == "num_replicas" else name

    def _near(self, asked: Asked, name: str) -> list[int]:
        """The nearest sizes below and above, if only this one changes."""
        value: int = getattr(asked, name)
        fit = [size for size in self._candidates(asked, name) if not self.fault(asked._replace(**{name: size}))]
        return [size for size in fit if size < value][-1:] + [size for size in fit if size > value][:1]

    def _candidates(self, asked: Asked, name: str) -> Sequence[int]:
        """Sizes that may fit, ascending; only groups that divide over the nodes, because else both are ignored."""
        replicas, groups, nodes, gpus = asked
        if name == "num_replicas":
            return self._replicas_on(max(gpus, 1), replicas)
        if name == "num_groups":
            return range(max(nodes, 1), self.experts + 1, max(nodes, 1))
        if name == "num_nodes":
            return [size for size in range(1, min(groups, gpus, self._most) + 1) if groups % size == 0]
        return range(1, min(replicas, self._most) + 1)

    def _replicas_on(self, gpus: int, asked: int) -> range:
        """The numbers of replicas that divide over so many GPUs; those of a plan that is there are one number."""
        if self.are_given:
            return range(asked, asked + (self.experts <= asked <= self._most and asked % gpus == 0))
        return range(-(-self.experts // gpus) * gpus, self._most + 1, gpus)

    def _repaired(self, asked: Asked) -> Asked:
        """Sizes that fit: groups first, then GPUs, then replicas, each as near as can be to what was asked for."""
        replicas, groups, nodes, gpus = asked[0], *(max(size, 1) for size in asked[1:])
        # Groups and nodes that are ignored may stay what they are; a number that can't be is no wish to ignore them.
        if self.keeps_groups or groups % nodes == 0 or min(asked.num_groups, asked.num_nodes) < 1:
            whole = [size for size in range(nodes, self.experts + 1, nodes) if self.experts % size == 0]
            groups, nodes = (_nearest(groups, whole), nodes) if whole else (1, 1)
        even = self._gpus_on(1 if groups % nodes else nodes, replicas)
        if not even:  # no number of replicas divides over so many nodes
            groups, nodes, even = 1, 1, self._gpus_on(1, replicas)
        gpus = _nearest(gpus, even)
        return Asked(_nearest(replicas, self._replicas_on(gpus, replicas)), groups, nodes, gpus)

    def _gpus_on(self, nodes: int, replicas: int) -> list[int]:
        """The numbers of GPUs that divide over so many nodes, and over which a number of replicas divides."""
        return [size for size in range(nodes, self._most + 1, nodes) if self._replicas_on(size, replicas)]


def _nearest(size: int, candidates: Sequence[int]) -> int:
    """The candidate next to a size."""
    return min(candidates, key=lambda candidate: abs(candidate - size))
