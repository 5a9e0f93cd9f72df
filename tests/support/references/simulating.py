"""What a plan makes of steps, one token count after the other."""

from collections.abc import Sequence

from tests.support.libraries import NumPyArray


def gpu_loads(slots: Sequence[int], load: Sequence[float], num_gpus: int) -> list[float]:
    """Of one layer in one step, replicas sharing equally; -1 is a slot that holds nothing."""
    each = len(slots) // num_gpus
    loads = [0.0] * num_gpus
    for slot, expert in enumerate(slots):
        if expert >= 0:
            loads[slot // each] += load[expert] / list(slots).count(expert)
    return loads


def balance(loads: Sequence[float]) -> float:
    """Mean GPU load / that of the busiest."""
    return sum(loads) / len(loads) / max(loads) if max(loads) else 1.0


def seconds(slots: Sequence[int], load: Sequence[float], num_gpus: int, a_slot: float, a_token: float) -> float:
    """Of one layer in one step: its busiest GPU."""
    each = len(slots) // num_gpus
    of_gpu = [0.0] * num_gpus
    for slot, expert in enumerate(slots):
        if expert >= 0:
            tokens = load[expert] / list(slots).count(expert)
            of_gpu[slot // each] += max(a_slot * min(tokens, 1), a_token * tokens)
    return max(of_gpu)


def in_use(made: Sequence[int], step: int, after: int) -> int:
    """Which of the plans is in use, taken up so many steps after it was made; the first one is from the start."""
    return max(k for k, at in enumerate(made) if k == 0 or step >= at + after)


def blocks(trace: NumPyArray, start: int, window: int) -> list[range]:
    """Steps that are judged together: as many as a window has, the last ones with what is left over."""
    number = max((len(trace) - start) // window, 1)
    ends = [start + window * block for block in range(number)]
    return [range(a, b) for a, b in zip(ends, [*ends[1:], len(trace)], strict=True)]
