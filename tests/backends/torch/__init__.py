"""PyTorch as its users use it."""
