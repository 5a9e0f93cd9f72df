"""The algorithms, written once.

Every function takes ``lib``, the library at hand behind the seams of ``eplb_xp.backends``, and
works on a batch of independent rows: the result for a batch is the batch of the results.
Start with ``pipeline``, which shows how the data flows; the rooms are in its order: ``counts``, ``packing``,
``improving``, and apart from it ``bounds``.
"""
