"""A plan that replaces another, with as few experts moved as its GPUs allow."""
