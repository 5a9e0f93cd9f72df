"""The benchmark of a layer on several GPUs."""
