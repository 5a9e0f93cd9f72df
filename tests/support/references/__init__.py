"""What the planner must compute, in plain Python, one layer and one item at a time."""
