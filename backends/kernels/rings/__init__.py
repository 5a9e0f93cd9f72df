"""Placements made for shares: each expert's replicas on neighbours of a ring, linked to those of the next."""
