"""Placements on rings."""
