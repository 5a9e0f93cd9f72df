"""A plug-in of pytest for an engine's own tests: what they test plans with eplb-xp, by way of its adapter.

``EPLB_XP_ENGINE`` is the folder of a vLLM that was fetched.
"""

import importlib
import os
from pathlib import Path
from typing import Any

from tests.support.packages.standing_in import stand_in

stand_in(Path(os.environ["EPLB_XP_ENGINE"]))
os.environ.setdefault("EPLB_XP_POLICY", "joint")

from eplb_xp.engines import vllm  # noqa: E402 # only now is there an engine

vllm.register()
try:
    _policy: Any = importlib.import_module("vllm.distributed.eplb.policy")
except ModuleNotFoundError:
    pass
else:
    # Their tests name the class that the registry holds otherwise.
    _policy.default.DefaultEplbPolicy = _policy.EPLB_POLICIES["default"]
