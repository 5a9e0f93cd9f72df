"""Collectives by the names that this version of PyTorch has for them."""

import torch.distributed as dist

# Since 2.13 the older names warn.
all_gather = dist.all_gather_single if hasattr(dist, "all_gather_single") else dist.all_gather_into_tensor
reduce_scatter = dist.reduce_scatter_single if hasattr(dist, "reduce_scatter_single") else dist.reduce_scatter_tensor
