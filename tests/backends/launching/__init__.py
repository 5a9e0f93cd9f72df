"""What starts it."""
