"""A map of engines, in the layouts that they write."""

import json
from typing import Any

import numpy as np

from eplb_xp import rebalance_experts
from eplb_xp.formats import placements
from eplb_xp.formats.placements.placement import Placement
from tests.support.command_line import LOAD, SIZES

FORMATS = [(name, ending) for name, each in placements.FORMATS.items() for ending in each.endings]
MADE = rebalance_experts(LOAD, *SIZES.values()).phy2log  # what the command line makes of its loads
PHY2LOG = np.array([[0, 1, 2, 3, 4, 0], [4, 2, 1, 4, 0, 3]])  # two layers of five experts in six slots
GPUS = 3
PLACEMENT = Placement(PHY2LOG, num_gpus=GPUS)
ROWS = PHY2LOG.tolist()

# [layers, ranks, experts]: the slot of an expert on a rank.
PLACES = [
    [[0, 1, -1, -1, -1], [-1, -1, 0, 1, -1], [1, -1, -1, -1, 0]],
    [[-1, -1, 1, -1, 0], [-1, 0, -1, -1, 1], [0, -1, -1, 1, -1]],
]
DEVICES: list[dict[str, Any]] = [
    {
        "layer_id": layer,
        "device_count": GPUS,
        "device_list": [{"device_id": gpu, "device_expert": row[2 * gpu : 2 * gpu + 2]} for gpu in range(GPUS)],
    }
    for layer, row in enumerate(ROWS)
]
ASCEND = {"moe_layer_count": 2, "layer_list": DEVICES}
MAPPING: dict[str, Any] = {
    "record_type": "eplb_initial_mapping",
    "version": 1,
    "num_redundant_experts": 1,
    "num_slots": 6,
    "initial_global_assignments": {"0": ROWS[0], "1": ROWS[1]},
}
BALANCER = "num_slots: 6\ninitial_global_assignments:\n  3: [0, 1, 2, 3, 4, 0]\n  5: [4, 2, 1, 4, 0, 3]\n"


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()
