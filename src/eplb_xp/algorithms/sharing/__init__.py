"""How many of an expert's tokens each of its replicas takes, for one batch: exactly on rings, else by matchings."""
