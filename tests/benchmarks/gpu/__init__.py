"""The benchmark of plans on a GPU, where there is none."""
