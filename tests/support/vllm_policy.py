"""The policy that vLLM's adapter brings, of an engine's version and of settings."""

from typing import Any

import torch

from eplb_xp.engines import vllm
from eplb_xp.engines.settings import Settings
from tests.support import engines
from tests.support.engines import IN_ORDER

OLD = torch.asarray(IN_ORDER)


def policy(default: type = engines.OfPhy2log, **settings: Any) -> Any:
    return vllm.policy(default, Settings(**settings))
