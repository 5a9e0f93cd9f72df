"""Experts that stay on their GPU keep their slot."""
