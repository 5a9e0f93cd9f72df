"""Work that is written down once and replayed: on a GPU as a CUDA graph."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class Recorded(Generic[T]):
    """A call that reads its arguments from where they were when it was recorded, and leaves its result where it was.

    On a processor it is called anew.
    """

    def __init__(self, call: Callable[[], T], device: torch.device) -> None:
        self.call, self.graph = call, None
        if device.type != "cuda":
            self.result = call()
            return
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            call()  # compiles, and sets libraries up
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            self.result = call()

    def __call__(self) -> T:
        """Do it again."""
        if self.graph is None:
            self.result = self.call()
        else:
            self.graph.replay()
        return self.result
