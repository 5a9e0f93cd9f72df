"""Figures beside the table of times: what each is, and what must be reached and is aimed at."""

from typing import NamedTuple


class Figure(NamedTuple):
    """A measured number; the smaller the better, unless it is a rate that is kept."""

    what: str
    of: str
    value: float
    unit: str
    reach: float
    aim: float | None = None
    grows: bool = False  # whether more is better

    @property
    def verdict(self) -> str:
        """Whether it is what is aimed at, what must be reached, or neither."""
        aim = self.reach if self.aim is None else self.aim
        value, reach, aim = ((-x if self.grows else x) for x in (self.value, self.reach, aim))
        return "aim" if value <= aim else "reach" if value <= reach else "missed"
