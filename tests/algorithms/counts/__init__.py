"""Replica counts."""
