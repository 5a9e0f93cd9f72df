"""The algorithms, on every library."""
