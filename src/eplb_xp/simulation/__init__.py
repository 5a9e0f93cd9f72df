"""What plans are worth: strategies tried on a trace of loads, in balance and in seconds, on the steps that follow.

A trace is tokens per logical expert, ``[steps, layers, experts]``; a strategy says when to plan, from what, and how
much may move. What it promises is the balance on the steps that it planned from; what it brings is that on those after.

Examples
--------
>>> from eplb_xp import loads, simulation
>>> trace = loads.generate("gpt-oss-20b", steps=60)
>>> tried, cost = simulation.usual(every=20), simulation.cost_of("h200", "gpt-oss-20b")
>>> found = simulation.simulate(trace, 40, 1, 1, 8, strategies=tried, window=20, cost=cost)
>>> [each.strategy.name for each in found][:3]
['never', 'once', 'EPLB']
"""

from eplb_xp.simulation.cost import Cost
from eplb_xp.simulation.measuring import Measured, Product, machine_of, measure
from eplb_xp.simulation.presets import GPUS, MODELS, Gpu, Model, cost_of
from eplb_xp.simulation.recommending import recommend
from eplb_xp.simulation.scores import Score
from eplb_xp.simulation.simulate import simulate
from eplb_xp.simulation.strategy import Strategy, usual
from eplb_xp.simulation.worth import Worth, worth

__all__ = [
    "GPUS",
    "MODELS",
    "Cost",
    "Gpu",
    "Measured",
    "Model",
    "Product",
    "Score",
    "Strategy",
    "Worth",
    "cost_of",
    "machine_of",
    "measure",
    "recommend",
    "simulate",
    "usual",
    "worth",
]
