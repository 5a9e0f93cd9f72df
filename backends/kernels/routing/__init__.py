"""Which replica each token goes to."""
