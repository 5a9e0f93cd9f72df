"""Strategies on traces."""
