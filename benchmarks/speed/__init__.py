"""How long a plan takes on a CPU, beside an item loop."""
