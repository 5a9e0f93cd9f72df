"""What a preset's tokens are of, step after step: domains that come and go, requests that live, a day."""

from typing import TypeAlias

from eplb_xp.loads.traffic.day import Day
from eplb_xp.loads.traffic.requests import Requests
from eplb_xp.loads.traffic.visits import Visits

Traffic: TypeAlias = Visits | Requests | Day

__all__ = ["Day", "Requests", "Traffic", "Visits"]
