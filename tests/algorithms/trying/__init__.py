"""Candidates tried in generations."""
