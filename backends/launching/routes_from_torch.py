"""Routes of CUDA tensors by the kernels of `kernels/routing`."""

import functools
import math

import torch

from eplb_xp.backends.launching import from_torch
from eplb_xp.backends.launching.routing import Launch, launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import SEVERAL_DEVICES, Refusal


def route_in_turn(_: Standard, *tensors: torch.Tensor) -> tuple[torch.Tensor] | Refusal:
    """The slots by the kernels, or why the once-written code finds them."""
    return _route(None, *tensors)


def route_by_quota(_: Standard, *tensors: torch.Tensor) -> tuple[torch.Tensor] | Refusal:
    """The same with quotas, which come first."""
    return _route(*tensors)


def _route(
    quota: torch.Tensor | None,
    log2phy: torch.Tensor,
    logcnt: torch.Tensor,
    first: torch.Tensor,
    experts: torch.Tensor,
) -> tuple[torch.Tensor] | Refusal:
    router = _router(experts.shape, log2phy.shape[-1], logcnt.shape[-1], quota is not None, first.shape[-1] > 0)
    if isinstance(router, Refusal):
        return router
    given = (log2phy, logcnt, first, experts) if quota is None else (quota, log2phy, logcnt, first, experts)
    if any(x.device != experts.device for x in given):
        return SEVERAL_DEVICES
    # What a kernel doesn't read it is given another for.
    tensors = (logcnt if quota is None else quota, log2phy, logcnt, first if first.shape[-1] else logcnt, experts)
    with from_torch.on(experts.device):
        return (router(*(x.contiguous() for x in tensors)),)


@functools.lru_cache(maxsize=1024)
def _router(shape: tuple[int, ...], width: int, experts: int, by_quota: bool, has_first: bool) -> "_Router | Refusal":
    if not from_torch.IS_INSTALLED:
        return Refusal(from_torch.NOT_INSTALLED)
    rows, tokens = math.prod(shape[:-2]), math.prod(shape[-2:])
    how = launch((rows, tokens), width, experts, by_quota=by_quota, has_first=has_first, index_bits=64)
    return how if isinstance(how, Refusal) else _Router(rows, tokens, how)


class _Router:
    """Launches of the kernels for one shape of tokens."""

    def __init__(self, rows: int, tokens: int, how: Launch) -> None:
        from eplb_xp.backends.kernels.routing.route import count, route, route_few  # noqa: PLC0415 # as `_Planner`
        from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

        constants, grid = Static(how.sizes), (how.programs, rows, 1)
        self._tokens = tokens
        self._entries = how.entries
        self._count = from_torch.Kernel(count, grid, how.sizes.count_warps, constants)
        self._route = from_torch.Kernel(route if how.entries else route_few, grid, how.sizes.warps, constants)

    def __call__(self, *tensors: torch.Tensor) -> torch.Tensor:
        """The slots, on the current stream of the tokens' device, which is the current one."""
        _, log2phy, _, _, experts = tensors
        device = experts.device
        kind = tuple([(x.dtype, x.data_ptr() % 16) for x in tensors])
        slots = from_torch.empty(experts.shape, log2phy.dtype, device)
        scratch = []
        if self._entries:
            scratch = [from_torch.empty((self._entries,), torch.int16, device)]
            self._count(device, kind[-1], experts, self._tokens, *scratch)
        self._route(device, kind, *tensors, self._tokens, *scratch, slots)
        return slots
