"""Public steps by who takes them over."""

from eplb_xp.algorithms import evaluation, pipeline, slots
from eplb_xp.algorithms.following import follow, for_samples, frontier, samples, spending
from eplb_xp.algorithms.routing import probabilities
from eplb_xp.algorithms.sharing import report
from eplb_xp.algorithms.transfers import moves

# Native code, as a search from one plan to another.
SEARCHES = (
    *(for_samples.plan_for_samples, follow.follow, follow.follow_or_renew, follow.renew),
    frontier.frontier,
)

# No kernel: for arrays in host memory NumPy does.
WITHOUT_KERNELS = (
    *(pipeline.place, pipeline.pack_items, pipeline.replicate_loads, evaluation.report, report.shared_report),
    *(probabilities.probabilities, follow.renew, frontier.frontier, spending.spend),
    *(for_samples.plan_for_samples, samples.weighed),
    *(moves.moves, slots.logical_maps, slots.expert_counts, slots.expert_floats),
)
