"""Expert loads: realistic generated ones, readers of recorded ones, and samples of either to plan for.

Loads are tokens per logical expert, ``[steps, layers, experts]``. A step is whatever was counted at once: a decode
step, a prefill micro-batch, a window of time, a domain.

Examples
--------
>>> from eplb_xp import loads
>>> loads.generate("deepseek-v3-decode", steps=4).shape
(4, 58, 256)
"""

from eplb_xp.loads.generation import generate
from eplb_xp.loads.preset import Preset
from eplb_xp.loads.presets import PRESETS
from eplb_xp.loads.reading import read
from eplb_xp.loads.samples import samples
from eplb_xp.loads.statistics import Statistics, statistics
from eplb_xp.loads.traffic import Day, Requests, Visits
from eplb_xp.loads.writing import save

__all__ = [
    "PRESETS",
    "Day",
    "Preset",
    "Requests",
    "Statistics",
    "Visits",
    "generate",
    "read",
    "samples",
    "save",
    "statistics",
]
