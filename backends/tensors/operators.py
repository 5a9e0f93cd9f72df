"""Steps as operators, of which torch knows no more than the shapes of their results.

They are for tensors that are not plain: torch.func transforms an operator, make_fx records it, a fake tensor gets fake
results, and a subclass or a mode sees it like any operation. Inside of it tensors are plain again, and the step runs
as it does for those.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from eplb_xp.algorithms import evaluation, pipeline, slots
from eplb_xp.algorithms.counts.replication import Replicas
from eplb_xp.algorithms.following import follow, for_samples, frontier, samples, spending
from eplb_xp.algorithms.placement import Placement
from eplb_xp.algorithms.routing import probabilities, quotas, route
from eplb_xp.algorithms.sharing import prepared, report, shares
from eplb_xp.algorithms.sharing.prepared import linked
from eplb_xp.algorithms.transfers import moves
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Step
from eplb_xp.backends.tensors.arguments import SIZES, as_numbers, as_objects
from eplb_xp.backends.tensors.library import LIBRARY
from eplb_xp.types import Frontier, Moves, Plan, Prepared, Report, SharedReport, Shares

Shapes = Sequence[tuple[int, ...]]


class Operator(NamedTuple):
    """A step, and what torch must know of it."""

    step: Step
    tensors: tuple[str, ...]  # the loads last
    sizes: tuple[str, ...]  # the arguments that have them
    shapes: Callable[[Shapes, Sequence[int]], Shapes]  # of the results: of the tensors, sizes
    pack: Callable[..., Any]  # the results as the step returns them
    dtypes: Mapping[int, torch.dtype] = {}  # of the results that are no indices
    of_layers: bool = True  # else any dimensions in front will do
    as_tensor: int | None = None  # which tensor the result has the dtype of


def _plan(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    layers, experts = tensors[-1]
    replicas, *_, most = sizes
    return (layers, replicas), (layers, experts, most or replicas - experts + 1), (layers, experts)


def _plan_of_samples(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    layers, *_, experts = tensors[-1]
    return _plan([(layers, experts)], sizes[: len(SIZES)])


def _frontier(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    layers, *_, experts = tensors[-1]
    by_moves = (layers, sizes[-1] + 1)
    return (*by_moves, sizes[0]), (*by_moves, experts), by_moves, by_moves


def _spent(tensors: Shapes, _: Sequence[int]) -> Shapes:
    return (tensors[-1][:-1],)


def _replicas(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    layers, _ = tensors[-1]
    return (layers, sizes[0]), (layers, sizes[0]), tensors[-1]


def _packing(tensors: Shapes, _: Sequence[int]) -> Shapes:
    return tensors[-1], tensors[-1]


def _report(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    layers, _ = tensors[-1]
    return (layers, sizes[3]), *[(layers,)] * 4


def _shared_report(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    layers, _ = tensors[-1]
    return (layers, sizes[0]), *[(layers,)] * 5


def _prepared(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    layers, replicas = tensors[-1]
    experts = (layers, sizes[0])
    return (layers, replicas), (layers, linked(replicas, sizes[0])), *[experts] * 4, (layers, 1)


def _shares(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    layers, _ = tensors[-1]
    gpus = (layers, sizes[0])
    return tensors[0], gpus, (layers,), (layers,), gpus, (layers,), (layers,)


def _quotas(tensors: Shapes, _: Sequence[int]) -> Shapes:
    return ((*tensors[-1], tensors[2][-1]),)


def _quotas_of_rank(tensors: Shapes, _: Sequence[int]) -> Shapes:
    return (tensors[3],)


def _probabilities(tensors: Shapes, _: Sequence[int]) -> Shapes:
    return (tensors[2],)


def _routed(tensors: Shapes, _: Sequence[int]) -> Shapes:
    return (tensors[-1],)


def _moves(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    per_slot = tensors[-1]
    per_gpu = (per_slot[0], sizes[0])
    return per_slot, per_gpu, per_gpu, per_gpu, per_slot


def _maps(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    experts, width = sizes[:2]
    per_expert = (tensors[-1][0], experts)
    return (*per_expert, width), per_expert


def _expert_loads(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    return ((*tensors[-1][:-1], sizes[0]),)


def _weighed(tensors: Shapes, _: Sequence[int]) -> Shapes:
    return (tensors[-1],)


def _tuple(*results: Any) -> tuple[Any, ...]:
    return results


FOR_SAMPLES = ("sizes", "divides")
FOLLOWED = (*FOR_SAMPLES, "gpus_per_node", "far_cost")
REPORTED = dict.fromkeys(range(4), torch.float32)
SHARES = ("share", *Plan._fields)
ROUTED = ("log2phy", "logcnt", "first", "experts")
SLOT_LOADS = ("phy2log", "slot_load")
SHARED = {3: torch.float32, 4: torch.bool, 5: torch.float32}

OPERATORS = {
    operator.step.__name__: operator
    for operator in (
        Operator(pipeline.plan, ("weight",), ("sizes",), _plan, Plan),
        Operator(for_samples.plan_for_samples, ("weight",), FOR_SAMPLES, _plan_of_samples, Plan),
        Operator(follow.follow, ("previous", "max_moves", "min_gain", "weight"), FOLLOWED, _plan_of_samples, Plan),
        Operator(
            follow.follow_or_renew,
            ("previous", "max_moves", "min_gain", "fresh", "weight"),
            FOLLOWED,
            _plan_of_samples,
            Plan,
        ),
        Operator(follow.renew, ("previous", "min_gain", "fresh", "weight"), FOR_SAMPLES, _plan_of_samples, Plan),
        Operator(
            frontier.frontier,
            ("previous", "weight"),
            (*FOLLOWED, "max_moves"),
            _frontier,
            Frontier,
            {2: torch.float32, 3: torch.float32},
        ),
        Operator(spending.spend, ("total", "busiest"), (), _spent, _tuple, of_layers=False),
        Operator(samples.weighed, ("importance", "weight"), (), _weighed, _tuple, {0: torch.float32}),
        Operator(pipeline.place, ("weight",), ("sizes",), _replicas, Placement),
        Operator(pipeline.pack_items, ("weight",), ("num_packs",), _packing, _tuple),
        Operator(pipeline.replicate_loads, ("weight",), ("num_replicas",), _replicas, Replicas),
        Operator(evaluation.report, ("phy2log", "weight"), ("sizes",), _report, Report, REPORTED),
        Operator(
            report.shared_report,
            ("phy2log", "shares", "tolerance", "weight"),
            ("num_gpus", "rounds"),
            _shared_report,
            SharedReport,
            {**REPORTED, 4: torch.float32},
        ),
        Operator(prepared.prepare, ("phy2log",), ("num_experts", "num_gpus"), _prepared, Prepared),
        Operator(
            shares.share, (*Prepared._fields, "tolerance", "weight"), ("num_gpus", "rounds"), _shares, Shares, SHARED
        ),
        Operator(
            shares.share_of_plan,
            ("phy2log", "tolerance", "weight"),
            ("num_gpus", "rounds"),
            _shares,
            Shares,
            SHARED,
        ),
        Operator(quotas.quotas, (*SHARES, "counts"), ("num_nodes",), _quotas, _tuple),
        Operator(quotas.quotas_of_rank, ("rank", *SHARES, "counts"), ("num_nodes",), _quotas_of_rank, _tuple),
        Operator(probabilities.probabilities, SHARES, (), _probabilities, _tuple, {0: torch.float32}),
        Operator(route.route_in_turn, ROUTED, (), _routed, _tuple, of_layers=False, as_tensor=0),
        Operator(route.route_by_quota, ("quota", *ROUTED), (), _routed, _tuple, of_layers=False, as_tensor=1),
        Operator(moves.moves, ("previous", "phy2log"), ("num_gpus", "num_nodes"), _moves, Moves, {4: torch.bool}),
        Operator(slots.logical_maps, ("phy2log",), ("num_experts", "width"), _maps, _tuple),
        Operator(slots.expert_counts, SLOT_LOADS, ("num_experts",), _expert_loads, _tuple),
        Operator(slots.expert_floats, SLOT_LOADS, ("num_experts",), _expert_loads, _tuple, {0: torch.float32}),
    )
}


def as_operator(step: Step, *tensors: torch.Tensor, policy: Any = None, **sizes: Any) -> Any:
    """The step by its operator; no gradient flows through."""
    name = step.__name__
    numbers = as_numbers(tuple(sizes.values()), policy)
    return OPERATORS[name].pack(*_results(name, *(x.detach() for x in tensors), *numbers))


def _results(name: str, *arguments: Any) -> tuple[torch.Tensor, ...]:
    """What an operator returns, of which torch has one result alone in no tuple."""
    results = getattr(torch.ops.eplb_xp, name)(*arguments)
    return (results,) if isinstance(results, torch.Tensor) else results


def _as_torch_has_it(results: Any) -> Any:
    return results if len(results) > 1 else results[0]


def _register(name: str, operator: Operator) -> None:
    arguments = ", ".join(f"Tensor {tensor}" for tensor in operator.tensors)
    number = len(operator.tensors)
    results = ", ".join(["Tensor"] * len(operator.shapes([(0, 0)] * number, [0] * 9)))

    def run(*arguments: Any) -> Any:
        plain = [x.as_subclass(torch.Tensor) for x in arguments[:number]]
        sizes = as_objects(operator.sizes, *arguments[number:])
        return _as_torch_has_it([x.contiguous() for x in Standard.run(LIBRARY, operator.step, *plain, **sizes)])

    def fake(*arguments: Any) -> Any:
        weight, sizes = arguments[number - 1 : number + 1]
        shapes = operator.shapes([tuple(x.shape) for x in arguments[:number]], sizes)
        index = torch.int64 if operator.as_tensor is None else arguments[operator.as_tensor].dtype
        dtypes = (operator.dtypes.get(i, index) for i in range(len(shapes)))
        made = [weight.new_empty(shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
        return _as_torch_has_it(made)

    def batched(info: Any, axes: Sequence[Any], *arguments: Any) -> tuple[Any, Any]:
        """A batch as so many times the layers, or as one more dimension in front."""
        batch = info.batch_size
        loads = [
            x.expand(batch, *x.shape) if axis is None else x.movedim(axis, 0)
            for x, axis in zip(arguments[:number], axes, strict=False)
        ]
        if not operator.of_layers:
            return _as_torch_has_it(_results(name, *loads, *arguments[number:])), 0
        layers = loads[-1].shape[1]
        results = _results(name, *(x.flatten(0, 1) for x in loads), *arguments[number:])
        results = tuple(x.reshape(batch, layers, *x.shape[1:]) for x in results)
        return _as_torch_has_it(results), _as_torch_has_it((0,) * len(results))

    made = torch.library.custom_op(
        f"eplb_xp::{name}",
        run,
        mutates_args=(),
        schema=f"({arguments}, int[] sizes, int[] integers, float[] floats) -> ({results})",
    )
    made.register_fake(fake)
    made.register_vmap(batched)


for name, operator in OPERATORS.items():
    _register(name, operator)
