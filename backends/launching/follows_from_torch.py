"""Plans that follow others for CUDA tensors, by the kernels of `kernels/following`."""

import functools
from typing import Any

import torch

from eplb_xp.algorithms.following import follow as once_written
from eplb_xp.backends.launching import from_torch
from eplb_xp.backends.launching.following import Launch, launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import SEVERAL_DEVICES, Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Plan


def follow(
    _: Standard,
    *tensors: torch.Tensor,
    sizes: Sizes,
    policy: Policy,
    divides: bool,  # noqa: ARG001 # of several samples, which are refused
    gpus_per_node: int,  # noqa: ARG001 # of moves that cost more, which are refused
    far_cost: int,
) -> Plan[torch.Tensor] | Refusal:
    """The plan by the kernels, or why the once-written code makes it."""
    follower = follower_of(tensors[-1].shape, sizes, policy, far_cost)
    return follower if isinstance(follower, Refusal) else follower(*tensors)


def follow_or_renew(lib: Standard, *tensors: torch.Tensor, **settings: Any) -> Plan[torch.Tensor] | Refusal:
    """The search by the kernels; whether a fresh plan is better is found by the once-written code."""
    previous, budget, min_gain, fresh, weight = tensors
    found = follow(lib, previous, budget, torch.zeros_like(min_gain), weight, **settings)
    if isinstance(found, Refusal):
        return found
    given = (previous, budget, min_gain, fresh, found.phy2log, weight)
    made: Plan[torch.Tensor] = lib.call(once_written.or_renewed, *given, **settings)
    return made


@functools.lru_cache(maxsize=1024)
def follower_of(shape: tuple[int, ...], sizes: Sizes, policy: Policy, far_cost: int) -> "_Follower | Refusal":
    """What follows plans of these sizes, or why nothing does."""
    if not from_torch.IS_INSTALLED:
        return Refusal(from_torch.NOT_INSTALLED)
    how = launch(shape, sizes, policy, far_cost)
    return how if isinstance(how, Refusal) else _Follower(how)


class _Follower:
    """Launches of the kernels for plans of one shape."""

    def __init__(self, how: Launch) -> None:
        from eplb_xp.backends.kernels.following.beginning import begin  # noqa: PLC0415 # Triton takes a second
        from eplb_xp.backends.kernels.following.follow import follow as choose  # noqa: PLC0415
        from eplb_xp.backends.kernels.following.path import walk  # noqa: PLC0415
        from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

        its, layers = how.sizes, how.layers
        wide, narrow = Static(its), Static(how.of_narrow)
        settings = ((begin, 4, wide), (walk, its.warps, wide), (walk, its.warps, narrow), (choose, 4, wide))
        self._kernels = [
            from_torch.Kernel(kernel, (programs, 1, 1), warps, constants)
            for (kernel, warps, constants), programs in zip(settings, how.programs, strict=True)
        ]
        self._maps = (layers, its.slots), (layers, its.experts, its.width), (layers, its.experts)
        self._words = how.words

    def __call__(self, *tensors: torch.Tensor) -> Plan[torch.Tensor] | Refusal:
        """The plan, on the current stream of the loads' device."""
        previous, budget, min_gain, weight = tensors
        if any(x.device != weight.device for x in tensors):
            return SEVERAL_DEVICES
        weight = from_torch.loads(weight)
        previous, budget = (from_torch.aligned(x.to(torch.int64)) for x in (previous, budget))
        with from_torch.on(weight.device):
            return self._launched(previous, budget, from_torch.aligned(min_gain), weight)

    def _launched(
        self, previous: torch.Tensor, budget: torch.Tensor, min_gain: torch.Tensor, weight: torch.Tensor
    ) -> Plan[torch.Tensor]:
        device = weight.device
        maps = [from_torch.empty(shape, torch.int64, device) for shape in self._maps]
        layers, wide, narrow, plans = [from_torch.empty((words,), torch.int32, device) for words in self._words]
        row, _, column = weight.stride()
        begin, walk_wide, walk_narrow, choose = self._kernels
        begin(
            *(device, (weight.dtype, row, column, weight.data_ptr() % 16)),
            *(previous, budget, weight, row, column, layers),
        )
        walk_wide(device, None, layers, layers, wide)
        walk_narrow(device, None, layers, wide, narrow)
        choose(device, None, min_gain, layers, wide, narrow, plans, *maps)
        return Plan(*maps)
