"""Whether outputs are those of a layer without replicas."""

# bfloat16 has 8 bits of a number; outputs are sums of products rounded to it on different ways.
TOLERANCE = {"bfloat16": 0.03, "float32": 1e-4}
CHECKED = 64  # tokens of a rank


class WrongOutputError(Exception):
    """A layer's output is not that of the layer without replicas."""


def refuse_wrong(what: str, error: float, dtype: str) -> None:
    """Refuse an output that differs by so much of its largest number, or by what is no number."""
    if not error <= TOLERANCE[dtype]:
        raise WrongOutputError(f"{what}: the output differs by {error:.2g} of its largest number")
