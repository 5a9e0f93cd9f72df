"""Loads: generated and read."""
