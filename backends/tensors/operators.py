"""Steps as operators, of which torch knows no more than the shapes of their results.

They are for tensors that are not plain: torch.func transforms an operator, make_fx records it, a fake tensor gets fake
results, and a subclass or a mode sees it like any operation. Inside of it tensors are plain again, and the step runs
as it does for those.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from eplb_xp.algorithms import evaluation, pipeline
from eplb_xp.algorithms.counts.replication import Replicas
from eplb_xp.algorithms.placement import Placement
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Step
from eplb_xp.backends.tensors.arguments import as_numbers, as_objects
from eplb_xp.types import Plan, Report

Shape = tuple[int, ...]


class Operator(NamedTuple):
    """A step, and what torch must know of it."""

    step: Step
    tensors: tuple[str, ...]  # the loads last
    sizes: str  # the argument that has them
    shapes: Callable[[int, int, Sequence[int]], tuple[Shape, ...]]  # of the results: layers, experts, sizes
    pack: Callable[..., Any]  # the results as the step returns them
    floats: int = 0  # so many results come first that are float32


def _plan(layers: int, experts: int, sizes: Sequence[int]) -> tuple[Shape, ...]:
    replicas, *_, most = sizes
    return (layers, replicas), (layers, experts, most or replicas - experts + 1), (layers, experts)


def _replicas(layers: int, experts: int, sizes: Sequence[int]) -> tuple[Shape, ...]:
    return (layers, sizes[0]), (layers, sizes[0]), (layers, experts)


def _packing(layers: int, items: int, _: Sequence[int]) -> tuple[Shape, ...]:
    return (layers, items), (layers, items)


def _report(layers: int, _: int, sizes: Sequence[int]) -> tuple[Shape, ...]:
    return (layers, sizes[3]), *[(layers,)] * 4


def _pair(*results: Any) -> tuple[Any, ...]:
    return results


OPERATORS = {
    operator.step.__name__: operator
    for operator in (
        Operator(pipeline.plan, ("weight",), "sizes", _plan, Plan),
        Operator(pipeline.place, ("weight",), "sizes", _replicas, Placement),
        Operator(pipeline.pack_items, ("weight",), "num_packs", _packing, _pair),
        Operator(pipeline.replicate_loads, ("weight",), "num_replicas", _replicas, Replicas),
        Operator(evaluation.report, ("phy2log", "weight"), "sizes", _report, Report, floats=4),
    )
}


def as_operator(step: Step, *tensors: torch.Tensor, policy: Any = None, **sizes: Any) -> Any:
    """The step by its operator; no gradient flows through."""
    name = step.__name__
    (numbers,) = sizes.values()
    results = getattr(torch.ops.eplb_xp, name)(*(x.detach() for x in tensors), *as_numbers(numbers, policy))
    return OPERATORS[name].pack(*results)


def _register(name: str, operator: Operator) -> None:
    arguments = ", ".join(f"Tensor {tensor}" for tensor in operator.tensors)
    results = ", ".join(["Tensor"] * len(operator.shapes(0, 0, [0] * 5)))
    number = len(operator.tensors)

    def run(*arguments: Any) -> tuple[torch.Tensor, ...]:
        from eplb_xp.backends.torch import LIBRARY  # noqa: PLC0415 # which imports this

        plain = [x.as_subclass(torch.Tensor) for x in arguments[:number]]
        sizes = as_objects(operator.sizes, *arguments[number:])
        return tuple(x.contiguous() for x in Standard.run(LIBRARY, operator.step, *plain, **sizes))

    def fake(*arguments: Any) -> tuple[torch.Tensor, ...]:
        weight, sizes = arguments[number - 1 : number + 1]
        layers, items = weight.shape
        shapes = operator.shapes(layers, items, sizes)
        dtypes = [torch.float32] * operator.floats + [torch.int64] * len(shapes)
        return tuple(weight.new_empty(shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=False))

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
