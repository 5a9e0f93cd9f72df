"""Quotas of CUDA tensors by the kernel of `kernels/routing`."""

import functools

import torch

from eplb_xp.backends.launching import from_torch
from eplb_xp.backends.launching.dividing import Dividing, launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import SEVERAL_DEVICES, Refusal


def quotas(_: Standard, *tensors: torch.Tensor, num_nodes: int) -> tuple[torch.Tensor] | Refusal:
    """Quotas of all ranks by the kernel, or why the once-written code finds them."""
    return _divided(None, *tensors, num_nodes=num_nodes)


def quotas_of_rank(_: Standard, *tensors: torch.Tensor, num_nodes: int) -> tuple[torch.Tensor] | Refusal:
    """Those of one rank, which comes first."""
    return _divided(*tensors, num_nodes=num_nodes)


def _divided(rank: torch.Tensor | None, *tensors: torch.Tensor, num_nodes: int) -> tuple[torch.Tensor] | Refusal:
    share, _, log2phy, logcnt, counts = tensors
    divider = _divider(counts.shape, share.shape[1], log2phy.shape[-1], num_nodes, rank is not None)
    if isinstance(divider, Refusal):
        return divider
    # What a kernel doesn't read it is given another for.
    rank = logcnt if rank is None else rank
    if any(x.device != counts.device for x in (rank, *tensors)):
        return SEVERAL_DEVICES
    with from_torch.on(counts.device):
        return (divider(rank, *(x.contiguous() for x in tensors)),)


@functools.lru_cache(maxsize=1024)
def _divider(shape: tuple[int, int, int], slots: int, width: int, nodes: int, is_of_one: bool) -> "_Divider | Refusal":
    if not from_torch.IS_INSTALLED:
        return Refusal(from_torch.NOT_INSTALLED)
    how = launch(shape, slots, width, nodes=nodes, is_of_one=is_of_one, index_bits=64)
    return how if isinstance(how, Refusal) else _Divider(shape[0], how)


class _Divider:
    """Launches of the kernel for one shape of counts."""

    def __init__(self, layers: int, how: Dividing) -> None:
        from eplb_xp.backends.kernels.routing.quotas import quotas as kernel  # noqa: PLC0415 # as `_Planner`
        from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

        self._kernel = from_torch.Kernel(kernel, (layers, *how.programs), how.warps, Static(how))
        its_ranks = () if how.is_of_one else (how.ranks,)
        self._shape = layers, *its_ranks, how.experts, how.width

    def __call__(self, *tensors: torch.Tensor) -> torch.Tensor:
        """The quotas, on the current stream of the counts' device, which is the current one."""
        rank, *_ = tensors
        kind = tuple([(x.dtype, x.data_ptr() % 16) for x in tensors])
        quota = from_torch.empty(self._shape, torch.int64, rank.device)
        # One rank for all layers may be in one place.
        self._kernel(rank.device, kind, *tensors, rank.stride(0), quota)
        return quota
