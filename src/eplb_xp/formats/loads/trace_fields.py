"""What a trace says beside its loads."""

from typing import Any, NamedTuple

import numpy as np

from eplb_xp.formats.fields import UnfitError

TEXTS = ("model", "note", "source")
MOST_LAYERS = 10**6  # a number of a layer is less
MOST_BYTES = 2**20  # of a field


class Fields(NamedTuple):
    """Each may be missing."""

    model: str | None = None
    note: str | None = None
    source: str | None = None
    layer_numbers: tuple[int, ...] | None = None  # the model's number of each layer
    top_k: int | None = None  # experts that a token goes to

    def of_layers(self, which: slice) -> "Fields":
        """What is said of these layers alone."""
        return self._replace(layer_numbers=self.layer_numbers and self.layer_numbers[which])

    def arrays(self) -> dict[str, Any]:
        """What there is, to be written."""
        return {name: np.asarray(value) for name, value in self._asdict().items() if value is not None}


def checked(layers: int, experts: int, **given: Any) -> Fields:
    """Fields that fit so many layers and experts, given as arrays of a file or as plain values; None is none."""
    found = {name: value for name, value in given.items() if value is not None}
    fields: dict[str, Any] = {name: _text(name, found[name]) for name in TEXTS if name in found}
    if "layer_numbers" in found:
        fields["layer_numbers"] = _numbers(found["layer_numbers"], layers)
    if "top_k" in found:
        fields["top_k"] = whole_number("top_k", found["top_k"])
        if not 1 <= fields["top_k"] <= experts:
            raise UnfitError(f"top_k must be from 1 to the {experts} experts, got {fields['top_k']}")
    return Fields(**fields)


def check_size(name: str, size: int) -> None:
    """Refuse what is larger than anything that is said of loads."""
    if size > MOST_BYTES:
        raise UnfitError(f"{name} takes {size} bytes, and what a trace says beside its loads at most {MOST_BYTES}")


def whole_number(name: str, value: Any) -> int:
    """A whole number, or an array of no axes with one."""
    array = _array(name, value)
    if array.dtype.kind not in "iu" or array.ndim != 0:
        raise UnfitError(f"{name} must be one whole number, got {_kind(array)}")
    return int(array)


def _text(name: str, value: Any) -> str:
    array = _array(name, value)
    if array.dtype.kind != "U" or array.ndim != 0:
        raise UnfitError(f"{name} must be one text, got {_kind(array)}")
    return str(array)


def _numbers(value: Any, layers: int) -> tuple[int, ...]:
    array = _array("layer_numbers", value)
    if array.dtype.kind not in "iu" or array.shape != (layers,):
        raise UnfitError(f"layer_numbers must be {layers} whole numbers, one for each layer, got {_kind(array)}")
    numbers = tuple(map(int, array))
    if min(numbers) < 0 or max(numbers) >= MOST_LAYERS or len({*numbers}) < layers:
        raise UnfitError(
            f"layer_numbers must be different numbers from 0, below {MOST_LAYERS}, got {len({*numbers})} different "
            f"ones of {layers}, from {min(numbers)} to {max(numbers)}"
        )
    return numbers


def _array(name: str, value: Any) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise UnfitError(f"{name} must not be lists of different lengths") from error
    check_size(name, array.nbytes)
    return array


def _kind(array: np.ndarray[Any, Any]) -> str:
    return f"shape {array.shape} of {array.dtype}"
