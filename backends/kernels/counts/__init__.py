"""How many replicas each expert gets: D'Hondt's counts, and others to try."""
