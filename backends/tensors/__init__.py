"""PyTorch, and what its tensors need: which are plain, who plans for them, operators for the others."""
