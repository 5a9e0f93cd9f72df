"""The shape of a plan, from its sizes and its policy: the same for all that plan row by row."""

from typing import TypeVar

from eplb_xp.algorithms.improving.finishing import most_steps
from eplb_xp.algorithms.packing.starts import NOISE_BITS
from eplb_xp.algorithms.trying.shape import shape_of
from eplb_xp.backends.launching.shape import Shape
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes

Described = TypeVar("Described", bound=Shape)


def described(kind: type[Described], experts: int, sizes: Sizes, policy: Policy) -> Described:
    """The shape of a plan, of whatever kind, whose starts all are in one part."""
    grouped = sizes.num_groups > 1
    nodes = sizes.num_nodes if grouped else 1
    halves = 2 if grouped and policy.rounds > 0 and 1 < nodes < sizes.num_groups else 1
    node_experts, slots, gpus = experts // nodes, sizes.num_replicas // nodes, sizes.num_gpus // nodes
    apart = not policy.may_double
    everywhere = apart and slots >= node_experts * gpus
    fewest = gpus if everywhere else 1
    spares = slots - node_experts * fewest
    most = spares + 1
    if apart:
        most = sizes.max_replicas or slots
        most = most if everywhere else min(most, gpus)
    packed = spares if everywhere else slots
    chooses = gpus > 1 and packed > gpus
    starts = policy.starts if chooses else 1
    tried = shape_of(policy, num_packs=gpus, capacity=slots // gpus, num_spares=spares, most=most)
    tries = apart and not everywhere and 1 < gpus < slots and tried.num_levels > 0
    finish = most_steps(policy, gpus, packed // gpus) if not tries else 0 if tried.alike else tried.finish
    return kind(
        experts=experts,
        groups=sizes.num_groups,
        nodes=nodes,
        halves=halves,
        node_experts=node_experts,
        fewest=fewest,
        most=most,
        spares=spares,
        gpus=gpus,
        slots=slots,
        packed=packed,
        width=sizes.width(experts),
        apart=apart,
        everywhere=everywhere,
        ring=policy.ring and not everywhere and 1 < gpus < slots,
        parts=1,
        starts=starts,
        noise=round(policy.noise * 2**NOISE_BITS),
        seed=policy.seed,
        lightest=policy.neighbourhood == "lightest",
        rounds=policy.rounds,
        finish=finish,
        threshold=policy.threshold,
        levels=tried.num_levels if tries else 0,
        generations=tried.generations if tries else 1,
        refined=tried.refined if tries else 0,
        parents=tried.parents if tries else 0,
        steps=tried.finish,
        close=1.0 + policy.tolerance,
        registers=None,
    )
