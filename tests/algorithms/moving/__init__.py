"""A plan that replaces another."""
