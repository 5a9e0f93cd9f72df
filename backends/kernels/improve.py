"""The second kernel, if the last does not do its part: packing, swaps and exchanges, the best start.

Programs share the starts of a row. Where rows are not compared after that, it writes the maps too.
"""

import triton
import triton.language as tl

from eplb_xp.backends.kernels.assignment import best_start, improve_packed
from eplb_xp.backends.kernels.bits import INFINITE
from eplb_xp.backends.kernels.maps import write_maps
from eplb_xp.backends.kernels.rings.placing import improve_on_ring


@triton.jit
def improve(phy2log, log2phy, logcnt, scratch, S: tl.constexpr):
    program = tl.program_id(0)
    row = program // S.parts
    row_at = scratch + row.to(tl.int64) * (S.parts * S.words)
    own = row_at + program % S.parts * S.words
    if tl.load(row_at + S.is_new_at) != 0:
        if S.ring:
            improve_on_ring(own, S)
        elif S.is_packed_once:
            improve_packed(own, S)
        else:
            best_start(program % S.parts, row_at, own, S)
        if not S.compares:
            tl.debug_barrier()
            layer, node = (row // S.rows).to(tl.int64), row % S.nodes
            write_maps(own, row_at + S.count_at, row_at, layer, node, phy2log, log2phy, logcnt, S)
    else:
        tl.store(own + S.busiest_at, INFINITE)
