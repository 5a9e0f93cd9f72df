"""The later kernels as XLA calls them, which has no arguments that are written: it passes the maps twice.

The results are the same memory as the arguments, so the kernels work on the results.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.choose import choose
from eplb_xp.backends.kernels.improve import improve


@triton.jit
def improve_in_place(_phy2log, _log2phy, _logcnt, _scratch, phy2log, log2phy, logcnt, scratch, S: tl.constexpr):
    improve(phy2log, log2phy, logcnt, scratch, S)


@triton.jit
def choose_in_place(_phy2log, _log2phy, _logcnt, _scratch, phy2log, log2phy, logcnt, scratch, S: tl.constexpr):
    choose(phy2log, log2phy, logcnt, scratch, S)
