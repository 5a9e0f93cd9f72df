"""A line for every plan, with figures that hold, and metrics where they are asked for."""

import logging
import re
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import eplb_xp
from eplb_xp.engines import metrics, report, vllm
from eplb_xp.engines.settings import Settings
from tests.support import engines
from tests.support.engines import IN_ORDER, LAYERS, LOAD, RANKS, SLOTS

OLD = torch.asarray(IN_ORDER)
LINE = re.compile(
    r"eplb_xp (\S+) planned for vllm in \d+ ms: (\S+), (native code|NumPy alone .*); "
    r"balancedness (\S+) -> (\S+) \(mean over layers (\S+) -> (\S+)\); (\S+) of (\d+) slots receive another expert"
)


def planned(load: Any = LOAD, old: Any = OLD, **settings: Any) -> Any:
    policy: Any = vllm.policy(engines.OfPhy2log, Settings(**settings))
    return policy.rebalance_experts(torch.asarray(load), SLOTS, 1, 1, RANKS, old).numpy()


def told(caplog: pytest.LogCaptureFixture) -> tuple[str, ...]:
    (record,) = caplog.records
    found = LINE.fullmatch(record.getMessage())
    assert found
    return found.groups()


def balance(phy2log: Any) -> tuple[float, float]:
    """Means over maxima, summed first and last, one layer at a time."""
    of_gpus = []
    for layer, slots in enumerate(phy2log):
        number = np.bincount(slots)
        share = [LOAD[layer, expert] / number[expert] for expert in slots]
        of_gpus.append(np.reshape(share, (RANKS, -1)).sum(axis=1))
    mean, most = np.mean(of_gpus, axis=1), np.max(of_gpus, axis=1)
    return mean.sum() / most.sum(), (mean / most).mean()


def test_a_line_for_a_plan(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "eplb_xp"):
        new = planned(max_moves="10%")
    version, policy, _, *figures, moved, slots = told(caplog)
    assert (version, policy) == (eplb_xp.__version__, "joint,max_moves=10%")
    before, after = balance(IN_ORDER), balance(new)
    assert [float(x) for x in figures] == pytest.approx([before[0], after[0], before[1], after[1]], abs=1e-4)
    assert int(moved) == (new != IN_ORDER).sum()
    assert int(slots) == LAYERS * SLOTS


def test_what_is_not_known(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "eplb_xp"):
        planned(old=None)
        assert told(caplog)[3:] == (*(told(caplog)[3:7]), "all", str(LAYERS * SLOTS))
        assert told(caplog)[3] == told(caplog)[5] == "unknown"
        caplog.clear()
        planned(np.zeros_like(LOAD))
        assert told(caplog)[3:7] == ("unknown",) * 4
        caplog.clear()
        planned(old=torch.full_like(OLD, -1))
        assert told(caplog)[3] == "unknown"
        assert told(caplog)[7] == str(LAYERS * SLOTS)


@pytest.mark.parametrize(("rank", "level"), [(0, logging.INFO), (1, logging.DEBUG)])
def test_only_the_first_rank_speaks_up(
    rank: int, level: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    with caplog.at_level(logging.DEBUG, "eplb_xp"):
        planned()
    assert [record.levelno for record in caplog.records if "planned" in record.getMessage()] == [level]


def test_nothing_is_measured_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("eplb_xp"), "level", logging.WARNING)
    monkeypatch.setattr(report, "judged", None)
    planned()


def test_layers_without_tokens_are_in_no_mean() -> None:
    load = np.vstack([LOAD[:2], np.zeros_like(LOAD[:1])])
    assert report.balance(IN_ORDER, load, RANKS) == report.balance(IN_ORDER[:2], LOAD[:2], RANKS)


def test_metrics_need_their_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "find_spec", lambda _: None)
    monkeypatch.setenv("EPLB_XP_POLICY", "joint")
    monkeypatch.setenv("EPLB_XP_METRICS", "prometheus")
    policies = engines.vllm(monkeypatch, engines.OfPhy2log)
    with pytest.raises(ValueError, match="EPLB_XP_METRICS=prometheus needs prometheus_client: pip install"):
        vllm.register()
    assert policies["default"] is engines.OfPhy2log


def test_metrics_of_prometheus(monkeypatch: pytest.MonkeyPatch) -> None:
    client = pytest.importorskip("prometheus_client")
    registry = client.CollectorRegistry()
    of_this = {name: getattr(client, name) for name in ("Gauge", "Counter", "Histogram")}
    ours = {name: lambda *args, of=of, **more: of(*args, registry=registry, **more) for name, of in of_this.items()}
    monkeypatch.setitem(sys.modules, "prometheus_client", SimpleNamespace(**ours))
    metrics._metrics.cache_clear()
    moved = 0
    for load in (LOAD, LOAD[::-1]):
        new = planned(np.ascontiguousarray(load), max_moves="10%", metrics="prometheus")
        moved += (new != IN_ORDER).sum()
    metrics._metrics.cache_clear()

    def value(name: str, **labels: str) -> float | None:
        found: float | None = registry.get_sample_value(name, {"engine": "vllm", **labels})
        return found

    assert value("eplb_xp_moved_slots_total") == moved
    assert value("eplb_xp_planning_seconds_count") == 2
    figures = [
        value("eplb_xp_balancedness", when=when, of=of)
        for when in ("measured", "predicted")
        for of in ("sums", "layers")
    ]
    assert all(x is not None and 0 < x <= 1 for x in figures)
    assert figures[0] < figures[2]  # type: ignore[operator]
