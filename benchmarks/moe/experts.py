"""The experts themselves: gated networks, their weights and their products."""

from typing import NamedTuple

import torch
from torch.nn.functional import grouped_mm, silu

from eplb_xp.simulation.presets import Model


class Weights(NamedTuple):
    """Of some slots, one after the other."""

    up: torch.Tensor  # [slots, 2 x intermediate, hidden]: gate and up
    down: torch.Tensor  # [slots, hidden, intermediate]


def expert(model: Model, number: int, device: torch.device, dtype: torch.dtype) -> Weights:
    """The weights of one expert, the same wherever they are made."""
    own = torch.Generator(device).manual_seed(number)
    shapes = (2 * model.intermediate, model.hidden), (model.hidden, model.intermediate)
    return Weights(*(torch.randn(x, generator=own, device=device, dtype=dtype) / x[1] ** 0.5 for x in shapes))


def weights_of(model: Model, numbers: list[int], device: torch.device, dtype: torch.dtype) -> Weights:
    """The weights of the experts of some slots."""
    up = torch.empty(len(numbers), 2 * model.intermediate, model.hidden, device=device, dtype=dtype)
    down = torch.empty(len(numbers), model.hidden, model.intermediate, device=device, dtype=dtype)
    for slot, number in enumerate(numbers):
        up[slot], down[slot] = expert(model, number, device, dtype)
    return Weights(up, down)


def products(held: Weights, rows: torch.Tensor, until: torch.Tensor) -> torch.Tensor:
    """What slots make of rows [rows, hidden], those of a slot before ``until`` [slots] int32; the rest is undefined."""
    gate, up = grouped_mm(rows, held.up.mT, offs=until).chunk(2, dim=-1)
    return grouped_mm(silu(gate) * up, held.down.mT, offs=until)


def without_replicas(model: Model, x: torch.Tensor, chosen: torch.Tensor, gate: torch.Tensor) -> torch.Tensor:
    """What a layer must make of tokens [tokens, hidden]: one expert after the other, each made here."""
    out = torch.zeros_like(x, dtype=torch.float32)
    for number in chosen.unique().tolist():
        its = expert(model, number, x.device, x.dtype)
        token, choice = (chosen == number).nonzero(as_tuple=True)
        left, right = (x[token] @ its.up.T).chunk(2, dim=-1)
        # A token has an expert once.
        out[token] += ((silu(left) * right) @ its.down.T).float() * gate[token, choice, None]
    return out
