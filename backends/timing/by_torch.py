"""PyTorch's devices, timed."""

import torch

from eplb_xp.backends.timing.machine import Experts, timed


class TorchMachine:
    """NVIDIA's or AMD's GPUs, else the processor."""

    def __init__(self) -> None:
        self.is_gpu = torch.cuda.is_available()
        self.devices = torch.cuda.device_count() if self.is_gpu else 1
        self.name = torch.cuda.get_device_name() if self.is_gpu else f"a processor, {torch.get_num_threads()} threads"
        self._device = torch.device("cuda" if self.is_gpu else "cpu")
        self._dtype = torch.bfloat16 if self.is_gpu else torch.float32

    def product(self, experts: Experts) -> float:
        number, tokens, hidden, intermediate = experts
        with torch.no_grad():
            x = self._made(number, tokens, hidden)
            up, down = self._made(number, hidden, 2 * intermediate), self._made(number, intermediate, hidden)
            return timed(lambda: torch.bmm(torch.bmm(x, up)[:, :, :intermediate], down), self._finish)

    def copy(self, size: int) -> float:
        source = torch.zeros(size, dtype=torch.uint8, device="cuda:0")
        target = torch.empty(size, dtype=torch.uint8, device="cuda:1")
        return timed(lambda: target.copy_(source), self._finish)

    def _made(self, *shape: int) -> torch.Tensor:
        generator = torch.Generator(self._device).manual_seed(0)
        return torch.randn(*shape, dtype=self._dtype, device=self._device, generator=generator)

    def _finish(self) -> None:
        for device in range(self.devices if self.is_gpu else 0):
            torch.cuda.synchronize(device)
