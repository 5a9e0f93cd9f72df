"""Tables of loads: what their columns mean, and where their rows go."""
