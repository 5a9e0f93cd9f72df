"""NumPy that counts the rounds of loops."""

from collections.abc import Callable

from eplb_xp.backends.loops import Carry
from eplb_xp.backends.numpy import NumPy
from eplb_xp.types import Array


class Counting(NumPy):
    """For each loop its rounds, and the rows that it begins with; none leaves before the end."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds: list[int] = []
        self.rows: list[int] = []

    @property
    def keeps_rows(self) -> bool:
        return True

    def while_loop(self, cond: Callable[[Carry], Array], body: Callable[[Carry], Carry], carry: Carry) -> Carry:
        loop = len(self.rounds)
        self.rounds.append(0)
        self.rows.append(carry[0].shape[0])

        def counted(carry: Carry) -> Carry:
            self.rounds[loop] += 1
            return body(carry)

        return super().while_loop(cond, counted, carry)
