"""Tests, in folders that mirror what they test; docs/testing.md says how they work."""
