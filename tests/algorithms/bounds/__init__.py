"""Bounds that no plan beats."""
