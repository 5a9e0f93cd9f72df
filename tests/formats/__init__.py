"""Files of serving engines."""
