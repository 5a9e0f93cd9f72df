"""PyTorch's operators, which programs that were compiled, exported or recorded hold: import this to run them.

Plans of plain tensors need none, and it takes torch tens of milliseconds to have all, so nothing else imports this.
"""

from eplb_xp.backends.tensors import operators  # noqa: F401 # torch has them from now on
