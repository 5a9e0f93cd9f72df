"""Each test has an environment that asks for nothing, and a process that has warned of nothing."""

import logging
from collections.abc import Generator

import pytest

from eplb_xp.engines import once
from eplb_xp.engines.settings import METRICS, PLAN_ON, POLICY


@pytest.fixture(autouse=True)
def _asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    for variable in (POLICY, PLAN_ON, METRICS):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(once, "_said", set())
    log = logging.getLogger("eplb_xp")
    level, handlers = log.level, list(log.handlers)
    yield
    log.setLevel(level)
    log.handlers[:] = handlers
