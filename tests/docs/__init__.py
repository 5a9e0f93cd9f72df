"""Pages and examples."""
