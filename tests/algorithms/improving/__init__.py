"""Swaps and exchanges."""
