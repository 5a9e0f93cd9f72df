"""Whole plans on an NVIDIA GPU, in Triton, one source for PyTorch and JAX; README.md says what means what."""
