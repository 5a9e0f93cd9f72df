"""Candidates for the counts packed and improved side by side, and what later generations need of them."""
