"""Shares by Triton's kernel: interpreted, and as it is compiled; and those of NumPy, which it is held against."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from eplb_xp import Prepared, Shares, prepare_shares
from eplb_xp.algorithms.sharing import shares as sharing
from eplb_xp.backends.kernels.sharing.shares import share as kernel
from eplb_xp.backends.launching.sharing import Sharing, launch
from eplb_xp.backends.launching.static import Static
from eplb_xp.backends.numpy import LIBRARY
from eplb_xp.backends.takeover import Refusal
from tests.support.kernels import POISON, Interpreted, as_tensor
from tests.support.libraries import NumPyArray
from tests.support.shares import TOLERANCE, Batch

ROUNDS = 64
ALL_BITS = 77  # as a bool neither

# The kernel's arguments that are no addresses of indices.
TYPES = {
    **dict.fromkeys(("tolerance_ptr", "weight_ptr", "bound_ptr", "gap_ptr"), "*fp32"),
    **dict.fromkeys(("row_stride", "column_stride", "rounds"), "i32"),
    "proof_ptr": "*i1",
    "scratch": "*i32",
    "S": "constexpr",
}


def prepared_of(batch: Batch) -> Prepared[NumPyArray]:
    """By NumPy."""
    return prepare_shares((batch.phy2log, batch.phy2log, batch.tokens), batch.gpus)


def expected(batch: Batch, rounds: int = ROUNDS, tolerance: float = TOLERANCE) -> Shares[NumPyArray]:
    """By NumPy, whatever the loads are: on a device nobody looks at them before."""
    each = np.full((len(batch.tokens), 1), tolerance, np.float32)
    arrays = (*prepared_of(batch), each, batch.tokens)
    with np.errstate(all="ignore"):
        found: Shares[NumPyArray] = sharing.share(LIBRARY, *arrays, num_gpus=batch.gpus, rounds=rounds)
    return found


def assert_identical(found: Shares[NumPyArray], want: Shares[NumPyArray]) -> None:
    """All fields, bit for bit."""
    for name, ours, theirs in zip(Shares._fields, found, want, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=name, strict=True)


def launch_of(layers: int, experts: int, replicas: int, gpus: int) -> Sharing:
    """How shares are launched, which is not refused."""
    how = launch(layers, experts, replicas, gpus)
    assert not isinstance(how, Refusal), how.reason
    return how


def shared(
    batch: Batch,
    prepared: Prepared[NumPyArray],
    *,
    rounds: int = ROUNDS,
    tolerance: float = TOLERANCE,
    rows: int | None = None,
    is_spread: bool = False,
    poison: int = POISON,
) -> Shares[NumPyArray]:
    """The shares by the interpreted kernel, which begins with poison in all its memory.

    So many rows of colours are written down at once; loads that are spread are not next to each other.
    """
    assert triton.knobs.runtime.interpret
    (layers, experts), slots = batch.tokens.shape, batch.phy2log.shape[1]
    how = launch_of(layers, experts, slots, batch.gpus)
    how = how if rows is None else replace(how, rows=rows)
    gpus = (layers, batch.gpus)
    index, proof = torch.int64, torch.int8
    shapes = ((layers, slots), gpus, layers, layers, gpus, layers, layers)
    dtypes = (index, index, index, torch.float32, proof, torch.float32, index)
    results = [
        torch.full(np.atleast_1d(shape).tolist(), ALL_BITS if dtype is proof else poison, dtype=dtype)
        for shape, dtype in zip(shapes, dtypes, strict=True)
    ]
    scratch = torch.full((layers * how.words,), poison, dtype=torch.int32)
    weight = as_tensor(batch.tokens, is_spread)
    given = [torch.asarray(np.ascontiguousarray(x)) for x in prepared]
    each = torch.full((layers, 1), tolerance)
    kernel[layers,](*given, each, weight, *weight.stride(), rounds, *results, scratch, Static(how))
    found = Shares(*(x.numpy() for x in results))
    assert set(found.proof.ravel().tolist()) <= {0, 1}
    return found._replace(proof=found.proof.astype(bool))


def check(
    interpreted: Interpreted,
    batch: Batch,
    *,
    rounds: int = ROUNDS,
    tolerance: float = TOLERANCE,
    **options: Any,
) -> Shares[NumPyArray]:
    """The shares, which NumPy makes too."""
    want = expected(batch, rounds, tolerance)
    found = interpreted(shared, batch, prepared_of(batch), rounds=rounds, tolerance=tolerance, **options)
    assert_identical(found, want)
    return want


def compiled(how: Sharing) -> Any:
    """What the kernel is on an H100: its code in several languages."""
    types = {name: TYPES.get(name, "*i64") for name in kernel.arg_names}
    source = ASTSource(kernel, types, {(kernel.arg_names.index("S"),): Static(how)})
    options = {"num_warps": how.warps, "enable_fp_fusion": False}
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm
