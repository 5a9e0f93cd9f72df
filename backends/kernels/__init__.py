"""Whole plans on an NVIDIA GPU, in Triton, one source for PyTorch and JAX.

Each module is what the module of `eplb_xp.algorithms` that it names does, for one row on one program, bit for
bit. `place` and `choose` are the kernels, `shape` and `launch` say how they are started.
"""
