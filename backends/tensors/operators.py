"""Steps as operators, of which torch knows no more than the shapes of their results.

They are for tensors that are not plain: torch.func transforms an operator, make_fx records it, a fake tensor gets fake
results, and a subclass or a mode sees it like any operation. Inside of it tensors are plain again, and the step runs
as it does for those.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from eplb_xp.algorithms import evaluation, pipeline
from eplb_xp.algorithms.counts.replication import Replicas
from eplb_xp.algorithms.placement import Placement
from eplb_xp.algorithms.sharing import prepared, report, shares
from eplb_xp.algorithms.sharing.prepared import linked
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Step
from eplb_xp.backends.tensors.arguments import as_numbers, as_objects
from eplb_xp.types import Plan, Prepared, Report, SharedReport, Shares

Shapes = Sequence[tuple[int, ...]]


class Operator(NamedTuple):
    """A step, and what torch must know of it."""

    step: Step
    tensors: tuple[str, ...]  # the loads last
    sizes: tuple[str, ...]  # the arguments that have them
    shapes: Callable[[Shapes, Sequence[int]], Shapes]  # of the results: of the tensors, sizes
    pack: Callable[..., Any]  # the results as the step returns them
    dtypes: Mapping[int, torch.dtype] = {}  # of the results that are no indices


def _plan(tensors: Shapes, sizes: Sequence[int]) -> Shapes:
    layers, experts = tensors[-1]
    replicas, *_, most = sizes
    return (layers, replicas), (layers, experts, most or replicas - experts + 1), (layers, experts)


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


def _pair(*results: Any) -> tuple[Any, ...]:
    return results


REPORTED = dict.fromkeys(range(4), torch.float32)
SHARED = {3: torch.float32, 4: torch.bool, 5: torch.float32}

OPERATORS = {
    operator.step.__name__: operator
    for operator in (
        Operator(pipeline.plan, ("weight",), ("sizes",), _plan, Plan),
        Operator(pipeline.place, ("weight",), ("sizes",), _replicas, Placement),
        Operator(pipeline.pack_items, ("weight",), ("num_packs",), _packing, _pair),
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
    )
}


def as_operator(step: Step, *tensors: torch.Tensor, policy: Any = None, **sizes: Any) -> Any:
    """The step by its operator; no gradient flows through."""
    name = step.__name__
    numbers = as_numbers(tuple(sizes.values()), policy)
    results = getattr(torch.ops.eplb_xp, name)(*(x.detach() for x in tensors), *numbers)
    return OPERATORS[name].pack(*results)


def _register(name: str, operator: Operator) -> None:
    arguments = ", ".join(f"Tensor {tensor}" for tensor in operator.tensors)
    number = len(operator.tensors)
    results = ", ".join(["Tensor"] * len(operator.shapes([(0, 0)] * number, [0] * 5)))

    def run(*arguments: Any) -> tuple[torch.Tensor, ...]:
        from eplb_xp.backends.torch import LIBRARY  # noqa: PLC0415 # which imports this

        plain = [x.as_subclass(torch.Tensor) for x in arguments[:number]]
        sizes = as_objects(operator.sizes, *arguments[number:])
        return tuple(x.contiguous() for x in Standard.run(LIBRARY, operator.step, *plain, **sizes))

    def fake(*arguments: Any) -> tuple[torch.Tensor, ...]:
        weight, sizes = arguments[number - 1 : number + 1]
        shapes = operator.shapes([tuple(x.shape) for x in arguments[:number]], sizes)
        dtypes = (operator.dtypes.get(i, torch.int64) for i in range(len(shapes)))
        return tuple(weight.new_empty(shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True))

    def batched(info: Any, axes: Sequence[Any], *arguments: Any) -> tuple[tuple[torch.Tensor, ...], tuple[int, ...]]:
        """A batch as so many times the layers."""
        batch = info.batch_size
        loads = [
            x.expand(batch, *x.shape) if axis is None else x.movedim(axis, 0)
            for x, axis in zip(arguments[:number], axes, strict=False)
        ]
        layers = loads[-1].shape[1]
        results = getattr(torch.ops.eplb_xp, name)(*(x.flatten(0, 1) for x in loads), *arguments[number:])
        return tuple(x.reshape(batch, layers, *x.shape[1:]) for x in results), (0,) * len(results)

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
