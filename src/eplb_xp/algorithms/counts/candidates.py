"""Replica counts to try, and how those are known that were tried before."""

from typing import NamedTuple

from eplb_xp.algorithms.hashing import MASK, hashed
from eplb_xp.backends.standard import Standard
from eplb_xp.types import Array


class Candidates(NamedTuple):
    """Several for each row, one after the other."""

    spare: Array  # [rows * candidates, spares] the expert of each
    count: Array  # [rows * candidates, experts] replicas of each


def fingerprints(lib: Standard, count: Array) -> Array:
    """A number below 2^31 for the counts of each row: [rows, 1]. One pair in 2^31 of different counts has the same.

    Hashed twice, because hashes of small numbers are multiples of each other now and then.
    """
    product = count * hashed(hashed(lib.arange_like(count) + 1))
    return lib.xp.sum(product & MASK, axis=-1, keepdims=True, dtype=lib.index_dtype) & MASK


def are_new(lib: Standard, fingerprint: Array, seen: Array) -> Array:
    """Whether a number [rows, candidates] is neither among those seen [rows, seen] nor earlier in its row."""
    xp = lib.xp
    number = lib.arange(fingerprint.shape[-1], fingerprint)
    earlier = (number[:, None] > number[None, :])[None, :, :]
    again = (fingerprint[:, :, None] == fingerprint[:, None, :]) & earlier
    before = fingerprint[:, :, None] == seen[:, None, :]
    return ~(xp.any(again, axis=-1) | xp.any(before, axis=-1))
