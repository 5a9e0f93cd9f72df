"""Benchmarks; README.md says which question each answers, and make runs them."""
