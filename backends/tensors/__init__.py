"""What PyTorch's tensors need beside `torch.py`: which are plain, who plans for them, operators for the others."""
