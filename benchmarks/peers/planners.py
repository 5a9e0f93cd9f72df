"""All planners, and what can't be run, with its reason."""

import os
from pathlib import Path

from benchmarks.peers.ascend import ASCEND, OF_ASCEND
from benchmarks.peers.engines import LMDEPLOY, OF_ENGINES, SGLANG, VLLM
from benchmarks.peers.ours import OURS
from benchmarks.peers.peer import Peer
from tests.support.packages.standing_in import stand_in
from tests.support.paths import ROOT

FOLDER = Path(os.environ.get("EPLB_XP_ENGINES", ROOT / "build" / "engines"))
# The last one is asked first for a module: vllm-ascend's own files are found with a stand-in for all of vLLM.
SOURCES = (ASCEND, LMDEPLOY, SGLANG, VLLM)

NOT_RUN = {
    "SGLang 0.5.23, `lplb_solver`: shares": "it needs a GPU, Hopper or later, and says so",
    "LPLB: shares": "the registry has no package of it; a CUDA kernel",
    "vllm-ascend 0.23.0, random": "it looks at no load: it swaps two slots in each layer",
    "megatron-core 0.19.2": "its package plans no replicas of experts",
    "TensorRT-LLM 1.2.1": "its planner is compiled C++ in a package for CUDA; no wheel to be had for this Python",
    "Scale-EPLB, UltraEP, MoonEP, STAIR": "the registry has no package of them",
}


def there() -> tuple[list[Peer], dict[str, str]]:
    """The planners whose packages are there, made importable, and why others are not."""
    missing = {}
    for source in SOURCES:
        if (FOLDER / source).is_dir():
            stand_in(FOLDER / source)
        else:
            reason = FOLDER / f"{source}.missing"
            missing[source] = (
                reason.read_text().strip() if reason.is_file() else "not fetched: make bench-peers does it"
            )
    peers = [peer for peer in (*OF_ENGINES, *OF_ASCEND, *OURS) if peer.source not in missing]
    return peers, missing
