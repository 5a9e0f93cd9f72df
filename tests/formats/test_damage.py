"""Damaged files of every format: a sentence or fit loads, never more memory than they are worth, and no crash."""

import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eplb_xp.formats import placements
from eplb_xp.loads import read
from tests.formats.test_placements import READABLE
from tests.support.dumps import SAMPLES, damaged, write

CASES = 8  # in any profile; fuzzing begins again until its time is over
AT_ONCE = 8  # damaged files of one case
MOST = 32 * 2**20  # bytes; a table with few rows may make 2^24 numbers of steps, layers and experts
KINDS = {name: content for name, (_, content) in READABLE.items() if "," not in name}

seeds = st.integers(0, 2**32 - 1)


def in_bounds(reads: Callable[[Path], Any], path: Path) -> Any:
    """What is read, or None where a sentence says why not."""
    tracemalloc.start()
    try:
        return reads(path)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 # others pass
        assert len(str(error)) < 2000  # noqa: PT017
        return None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MOST


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=CASES)
@given(seed=seeds)
def test_damaged_loads(name: str, seed: int) -> None:
    random, sample = np.random.default_rng(seed), SAMPLES[name]
    for _ in range(AT_ONCE):
        with tempfile.TemporaryDirectory() as folder:
            which = str(random.choice([*sample.files]))
            files = {**sample.files, which: damaged(sample.files[which], random)}
            path = write(files, Path(folder, "dump"))
            load = in_bounds(lambda path: read(path, **sample.options), path)
        if load is not None:
            assert load.ndim == 3
            assert load.size
            assert (load >= 0).all()
            assert load.max() <= (np.finfo(np.float32).max if load.dtype.kind == "f" else 2**63 - 1)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=CASES)
@given(seed=seeds)
def test_damaged_placements(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(AT_ONCE):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "a")
            path.write_bytes(damaged(KINDS[name], random))
            found = in_bounds(placements.read, path)
        if found is not None and found.phy2log.size:
            assert found.phy2log.ndim == 2
            assert found.phy2log.dtype.kind in "iu"


def test_most_damage_is_seen() -> None:
    """Else the damage would be none."""
    random = np.random.default_rng(0)
    seen = 0
    for _ in range(50):
        with tempfile.TemporaryDirectory() as folder:
            path = write({"a": damaged(SAMPLES["load-history"].files["a.json"], random)}, Path(folder))
            seen += in_bounds(read, path) is None
    assert 10 < seen < 50
