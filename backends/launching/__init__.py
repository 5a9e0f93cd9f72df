"""How kernels are described and started: nothing here runs on a GPU."""
