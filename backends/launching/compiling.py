"""Triton compiles for one thread at a time, and without passes that take most of its time and find nothing.

While it does it changes the warning filters of all threads, and others see kernels that are only half loaded; and
importing jax-triton takes away its folder of compiled kernels.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from typing import Any

LOCK = threading.RLock()

_FOLDER = "TRITON_CACHE_DIR"

# Passes that change nothing in these kernels, by where Triton has what adds them. Each goes through the whole kernel,
# and Triton checks all of it afterwards.
LEFT_OUT = {
    "passes.ttgpuir": (
        # Wider loads and stores. For each this walks through all that is connected with it, which in a kernel for a
        # whole plan is all of it: 42 of 45 seconds for candidates of policy joint. Programs read by a thread an entry.
        "add_coalesce",
        # Products of matrices, and what is fetched ahead for them.
        "add_f32_dot_tc",
        "add_accelerate_matmul",
        "add_optimize_dot_operands",
        "add_fuse_nested_loops",
        "add_assign_latencies",
        "add_schedule_loops",
        "add_pipeline",
        "add_coalesce_async_copy",
    ),
    # Clusters, tensor memory, the copies and barriers of both, warps that do different work. But what allocates tensor
    # memory also writes down that there is none, and jax-triton compares that.
    "nvidia.passes.ttnvgpuir": (
        "add_assign_cga_layouts",
        "add_optimize_cta_locality",
        "add_check_matmul_two_cta",
        "add_optimize_descriptor_encoding",
        "add_optimize_tmem_layouts",
        "add_tmem_load_reduce",
        "add_tma_lowering",
        "add_interleave_tmem",
        "add_fence_insertion",
        "add_lower_mma",
        "add_hoist_mbarrier_lifecycle",
        "add_proxy_fence_insertion",
        "add_tmem_barrier_insertion",
        "add_tmem_wait_insertion",
        "add_cluster_barrier_mbar_allocator",
        "add_initialize_ws_cluster_barriers",
        "add_warp_specialize_to_llvm",
    ),
    "nvidia.passes.hopper": ("add_hopper_warpspec",),
}


@contextmanager
def folder_kept() -> Iterator[None]:
    """Triton's folder is afterwards what it was: jax-triton empties it, for PyTorch's kernels too."""
    with LOCK:
        before = os.environ.get(_FOLDER)
        try:
            yield
        finally:
            os.environ.pop(_FOLDER, None)
            if before is not None:
                os.environ[_FOLDER] = before


@contextmanager
def standing_in(room: Any, name: str, ours: Callable[..., Any]) -> Iterator[None]:
    """What this thread calls by a name of a module is ours; other threads call what is there."""
    with LOCK:
        theirs, thread = getattr(room, name), threading.get_ident()

        def either(*arguments: Any, **options: Any) -> Any:
            return (ours if threading.get_ident() == thread else theirs)(*arguments, **options)

        setattr(room, name, either)
        try:
            yield
        finally:
            setattr(room, name, theirs)


@contextmanager
def quickly() -> Iterator[None]:
    """What this thread compiles is not searched for what no kernel here has (`LEFT_OUT`).

    Where jax-triton was imported by others, so that Triton's folder is none, it is Triton's own meanwhile.
    """
    from triton._C import libtriton  # noqa: PLC0415 # there where kernels are

    with LOCK, ExitStack() as restored:
        if os.environ.get(_FOLDER) == "":
            restored.enter_context(folder_kept())
            del os.environ[_FOLDER]
        for path, names in LEFT_OUT.items():
            room = attrgetter(path)(libtriton)
            for name in names:
                if hasattr(room, name):  # else another Triton
                    restored.enter_context(standing_in(room, name, _add_nothing))
        yield


def _add_nothing(*_: Any) -> None:
    """A pass that is left out."""
