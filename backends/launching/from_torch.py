"""Plans for CUDA tensors by the kernels of `kernels/`."""

import functools
import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from eplb_xp.backends.launching import compiling
from eplb_xp.backends.launching.launch import DTYPES, Launch, launch
from eplb_xp.backends.standard import Standard
from eplb_xp.backends.takeover import Refusal
from eplb_xp.policy import Policy
from eplb_xp.sizes import Sizes
from eplb_xp.types import Plan

_DTYPES = frozenset(getattr(torch, name) for name in DTYPES)

# Whether Triton is there, for NVIDIA's GPUs; it is imported only with the first plan.
IS_INSTALLED = importlib.util.find_spec("triton") is not None and torch.version.hip is None
NOT_INSTALLED = "the kernels need Triton and an NVIDIA GPU: install the extra 'cuda'"


def plan(_: Standard, weight: torch.Tensor, *, sizes: Sizes, policy: Policy) -> Plan[torch.Tensor] | Refusal:
    """The plan by kernels, or why the once-written code makes it."""
    if not IS_INSTALLED:
        return Refusal(NOT_INSTALLED)
    planner = _planner(*weight.shape, sizes, policy)
    return planner if isinstance(planner, Refusal) else planner(weight)


@functools.lru_cache(maxsize=1024)
def _planner(layers: int, experts: int, sizes: Sizes, policy: Policy) -> "_Planner | Refusal":
    how = launch(layers, experts, sizes, policy)
    return how if isinstance(how, Refusal) else _Planner(layers, experts, how)


def empty(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Memory that kernels write."""
    return torch.empty(*shape, dtype=dtype, device=device)  # a shape as one argument takes torch half as long again


def loads(weight: torch.Tensor) -> torch.Tensor:
    """Loads as kernels read them, of a dtype that Triton has pointers to."""
    if weight.requires_grad or weight.is_neg():
        weight = weight.detach().resolve_neg()
    return weight if weight.dtype in _DTYPES else weight.to(torch.float32)


def aligned(x: torch.Tensor) -> torch.Tensor:
    """A tensor without gaps that begins where kernels want it to."""
    x = x.contiguous()
    return x.clone() if x.data_ptr() % 16 else x


def on(device: torch.device) -> AbstractContextManager[None]:
    """The device is the current one."""
    return nullcontext() if device.index == torch.cuda.current_device() else torch.cuda.device(device)


class _Planner:
    """Launches of the kernels for one shape of loads and one policy."""

    def __init__(self, layers: int, experts: int, how: Launch) -> None:
        from eplb_xp.backends.kernels.choose import choose  # noqa: PLC0415 # Triton takes a second to import
        from eplb_xp.backends.kernels.improve import improve  # noqa: PLC0415
        from eplb_xp.backends.kernels.prepare import prepare  # noqa: PLC0415
        from eplb_xp.backends.launching.static import Static  # noqa: PLC0415

        shape = how.shape
        self._maps = (layers, shape.layer_slots), (layers, experts, shape.width), (layers, experts)
        self._words = (how.words,)
        self._constants = Static(shape)
        kernels = {"prepare": prepare, "improve": improve, "choose": choose}
        self._kernels = [(kernels[each.kernel], (each.programs, 1, 1), each.warps) for each in how.kernels]
        self._launches: dict[Any, list[Callable[..., None]]] = {}

    def __call__(self, weight: torch.Tensor) -> Plan[torch.Tensor]:
        """The plan, on the current stream of the loads' device."""
        weight = loads(weight)
        with on(weight.device):
            return self._launched(weight, weight.device)

    def _launched(self, weight: torch.Tensor, device: torch.device) -> Plan[torch.Tensor]:
        phy2log, log2phy, logcnt = [empty(shape, torch.int64, device) for shape in self._maps]
        scratch = empty(self._words, torch.int32, device)
        strides, address = weight.stride(), weight.data_ptr()
        # All that a compiled kernel depends on: to find that out anew takes Triton as long as a small plan.
        key = device.index, weight.dtype, strides, address % 16
        launches = self._launches.get(key)
        if launches is None:
            with compiling.quickly():
                launches = self._launches[key] = self._compiled(weight, phy2log, log2phy, logcnt, scratch)
        stream = torch._C._cuda_getCurrentRawStream(device.index)
        # Addresses as numbers: of a tensor each launch asks the driver whether the GPU can reach it.
        memory = phy2log.data_ptr(), log2phy.data_ptr(), logcnt.data_ptr(), scratch.data_ptr(), self._constants
        before: tuple[int, ...] = (address, *strides)  # what only the first kernel gets
        for start in launches:
            start(stream, *before, *memory)
            before = ()
        return Plan(phy2log, log2phy, logcnt)

    def _compiled(self, weight: torch.Tensor, *memory: torch.Tensor) -> list[Callable[..., None]]:
        """What starts each kernel: on a stream, with its arguments."""
        before = (weight, *weight.stride())
        launches = []
        for kernel, grid, warps in self._kernels:
            compiled = kernel.warmup(
                *(*before, *memory, self._constants),
                grid=grid,
                num_warps=warps,
                maxnreg=self._constants.registers,
                enable_fp_fusion=False,
            )
            launches.append(launcher(compiled, grid))
            before = ()
        return launches


class Kernel:
    """A kernel of one size and grid: compiled once for each kind of tensors, and started with addresses as numbers."""

    def __init__(self, kernel: Any, grid: tuple[int, int, int], warps: int, constants: Any) -> None:
        self._kernel = kernel
        self._grid = grid
        self._warps = warps
        self._constants = constants
        self._launches: dict[Any, Callable[..., None]] = {}

    def __call__(self, device: torch.device, kind: Any, *arguments: Any) -> None:
        """Start it on the current stream of a device; the kind is all of the arguments that its code depends on."""
        start = self._launches.get((device.index, kind))
        if start is None:
            with compiling.quickly():
                start = self._launches[device.index, kind] = self._compiled(*arguments)
        addresses = [x.data_ptr() if isinstance(x, torch.Tensor) else x for x in arguments]
        start(torch._C._cuda_getCurrentRawStream(device.index), *addresses, self._constants)

    def _compiled(self, *arguments: Any) -> Callable[..., None]:
        compiled = self._kernel.warmup(
            *arguments, self._constants, grid=self._grid, num_warps=self._warps, enable_fp_fusion=False
        )
        return launcher(compiled, self._grid)


def launcher(compiled: Any, grid: tuple[int, int, int]) -> Callable[..., None]:
    """What starts a compiled kernel, without the hooks that Triton calls at each launch."""
    run = compiled.run  # loads it, so that it has a function
    function, metadata = compiled.function, compiled.packed_metadata

    def start(stream: int, *arguments: Any) -> None:
        run(*grid, stream, function, metadata, None, None, None, *arguments)

    return start
