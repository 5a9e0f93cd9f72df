"""What a reader of placements yields, and a writer takes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from eplb_xp.formats.fields import Numbers

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Placement(NamedTuple):
    """Which expert is in each slot, and what else a file says of it."""

    phy2log: Numbers  # [layers, replicas]
    num_groups: int | None = None
    num_nodes: int | None = None
    num_gpus: int | None = None
    num_experts: int | None = None
    balancedness: Numbers | None = None  # [layers], on the loads that it was made for
    busy: Numbers | None = None  # [layers], which had tokens in them; not known of all files
    layer_numbers: Numbers | None = None  # [layers], in those loads, or in the model
    num_layers: int | None = None  # that those loads had, before some were chosen
    is_for_all_layers: bool = False  # one layer, which is that of all
    more: Mapping[str, Any] = NOTHING  # how it was made; eplb-xp's own files alone say it

    def of_rows(self, rows: list[int]) -> "Placement":
        """The same of some layers."""
        names = "phy2log", "balancedness", "busy", "layer_numbers"
        by_layer = {name: each for name in names if (each := getattr(self, name)) is not None}
        return self._replace(**{name: each[rows] for name, each in by_layer.items()})
