"""Shares of CUDA tensors by the kernel of `kernels/sharing`."""

import functools

import torch

from eplb_xp.backends.launching import from_torch
from eplb_xp.backends.launching.sharing import Sharing, launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import SEVERAL_DEVICES, Refusal
from eplb_xp.types import Shares


def share(_: Standard, *tensors: torch.Tensor, num_gpus: int, rounds: int) -> Shares[torch.Tensor] | Refusal:
    """The shares by the kernel, or why the once-written code makes them."""
    layers, experts = tensors[-1].shape
    sharer = sharer_of(layers, experts, tensors[0].shape[1], num_gpus)
    return sharer if isinstance(sharer, Refusal) else sharer(*tensors, rounds=rounds)


@functools.lru_cache(maxsize=1024)
def sharer_of(layers: int, experts: int, replicas: int, gpus: int) -> "_Sharer | Refusal":
    """What shares loads of these sizes out, or why nothing does."""
    if not from_torch.IS_INSTALLED:
        return Refusal(from_torch.NOT_INSTALLED)
    how = launch(layers, experts, replicas, gpus)
    return how if isinstance(how, Refusal) else _Sharer(layers, how)


class _Sharer:
    """Launches of the kernel for one shape of loads."""

    def __init__(self, layers: int, how: Sharing) -> None:
        from eplb_xp.backends.kernels.sharing.shares import share as kernel  # noqa: PLC0415 # Triton takes a second
        from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

        self._kernel = from_torch.Kernel(kernel, (layers, 1, 1), how.warps, Static(how))
        gpus = layers, how.gpus
        index = torch.int64
        self._results: tuple[tuple[tuple[int, ...], torch.dtype], ...] = (
            ((layers, how.slots), index),
            (gpus, index),
            ((layers,), index),
            ((layers,), torch.float32),
            (gpus, torch.bool),
            ((layers,), torch.float32),
            ((layers,), index),
            ((layers * how.words,), torch.int32),
        )

    def __call__(self, *tensors: torch.Tensor, rounds: int) -> Shares[torch.Tensor] | Refusal:
        """The shares, on the current stream of the loads' device."""
        if any(x.device != tensors[-1].device for x in tensors):
            return SEVERAL_DEVICES
        *given, tolerance, weight = tensors
        prepared = [from_torch.aligned(x.to(torch.int64)) for x in given]
        weight = from_torch.loads(weight)
        with from_torch.on(weight.device):
            return self._launched(*prepared, from_torch.aligned(tolerance), weight, rounds=rounds)

    def _launched(self, *tensors: torch.Tensor, rounds: int) -> Shares[torch.Tensor]:
        weight = tensors[-1]
        device = weight.device
        results = [from_torch.empty(*result, device) for result in self._results]
        strides = weight.stride()
        kind = weight.dtype, strides, weight.data_ptr() % 16, rounds
        self._kernel(device, kind, *tensors, *strides, rounds, *results)
        return Shares(*results[:-1])
