"""The planners that people have, side by side with ours on the same loads, in one process."""
