"""Native code for plans in host memory."""
