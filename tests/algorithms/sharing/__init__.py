"""Shares of a batch."""
