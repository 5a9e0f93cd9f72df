"""What a simulation advises, in a sentence."""

from collections.abc import Sequence

from eplb_xp.simulation.scores import Score

LITTLE = 0.01  # of a step's seconds, or of balance: as good as nothing
NEAR = 0.9  # of what the best strategy saves


def recommend(scores: Sequence[Score]) -> str:
    """Say which strategy to take: the one that moves least of those that save nearly as much as the best.

    With a cost it is seconds saved on steps less seconds spent on moves that count, without one balance alone. One with
    more slots is only taken where those of as many slots as most have bring less than nine tenths of it.

    Parameters
    ----------
    scores : sequence of Score
        Of one simulation, with experts in order among them.

    Returns
    -------
    str
        A sentence that names what was compared, and what it hangs on.

    Raises
    ------
    ValueError
        Where experts in order, which all are compared with, are not among them.
    """
    plain = next((each for each in scores if each.strategy.policy is None), None)
    if plain is None:
        raise ValueError("a recommendation compares with experts in order: add a strategy of policy None")
    if plain.actual is None:
        return "No step has tokens: there is nothing to balance."
    others = [each for each in scores if each is not plain]
    worth = {id(each): _worth(each, plain) for each in others}
    best = max(others, key=lambda each: worth[id(each)], default=plain)
    compared = f"of {len(scores)} strategies on {len(plain.balance)} steps"
    if best is plain or worth[id(best)] < LITTLE:
        return f"Keep the experts in order: {compared} none saves {LITTLE:.0%} of {_unit(plain)}; {_hangs_on(plain)}"
    good = [each for each in others if worth[id(each)] >= NEAR * worth[id(best)]]
    chosen = min(good, key=lambda each: (each.strategy.more_slots, sum(each.moves), -worth[id(each)]))
    but = "" if chosen is best else f", {worth[id(chosen)] / worth[id(best)]:.0%} of what {best.strategy.name} does"
    moved = f" and moves {chosen.moved:.0%} of the slots each time" if chosen.moves else " and moves nothing"
    return (
        f"Take {chosen.strategy.name}: {compared} it saves {worth[id(chosen)]:.1%} of {_unit(plain)} against experts "
        f"in order{but}{moved}; {_hangs_on(plain)}"
    )


def _worth(score: Score, plain: Score) -> float:
    """The part of a step's time that is saved, moves paid for; without seconds that of the busiest GPU's load."""
    if score.net is not None and plain.seconds:
        return score.net / plain.seconds
    if score.actual is None or plain.actual is None:
        return 0.0
    return 1 - plain.actual / score.actual


def _unit(plain: Score) -> str:
    return "the busiest GPU's load" if plain.seconds is None else f"a step's {_in_words(plain.seconds)}"


def _hangs_on(plain: Score) -> str:
    if plain.seconds is None:
        return "this is balance alone, since no cost was given."
    return "it hangs on these steps, their tokens and the costs given."


def _in_words(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
