"""JAX as its users use it."""
