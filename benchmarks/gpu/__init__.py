"""How long a plan takes on an NVIDIA GPU."""
