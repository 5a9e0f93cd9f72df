"""What comes of a call, in a few words: a plan, or a kind of error."""

import traceback
from collections.abc import Callable

import numpy as np

from eplb_xp.simulation.arrays import Numbers


def of_call(call: Callable[[], Numbers], shape: tuple[int, int], experts: int) -> str:
    """A planner's plan looked at, or what it raises."""
    try:
        slots = call()
    except Exception as error:  # whatever others raise
        return of_error(error)
    return of_plan(slots, shape, experts)


def of_error(error: Exception) -> str:
    """Whether somebody wrote it for the user: a sentence, an assert, or whatever went wrong further in."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    line = (frames[-1].line or "") if frames else ""
    if line.startswith("raise") and " " in str(error).strip():
        return f"refused in words: {kind}"
    if isinstance(error, AssertionError):
        return f"an assert {'with' if str(error) else 'without'} a message"
    return f"fails inside: {kind}"


def of_plan(slots: Numbers, shape: tuple[int, int], experts: int) -> str:
    """Whether the plan can be used, and what of it is odd."""
    if slots.shape != shape:
        return f"a plan of {slots.shape[1]} slots, not {shape[1]}"
    if slots.min() < 0 or slots.max() >= experts:
        return "a plan with an expert that there is not"
    held = np.stack([np.bincount(layer, minlength=experts) for layer in slots])
    if missing := int((held == 0).sum()):
        return f"**a plan in which {missing} {'expert is' if missing == 1 else 'experts are'} missing**"
    spare = shape[1] - experts
    return "a plan; one expert has all spare slots" if spare > 1 and held.max() == spare + 1 else "a plan"
