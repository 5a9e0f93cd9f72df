"""What a machine takes for the work of experts and for their moves, by the libraries that serve models."""
