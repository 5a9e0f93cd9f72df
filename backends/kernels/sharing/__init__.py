"""Shares of a batch: exactly on rings, else by matchings."""
