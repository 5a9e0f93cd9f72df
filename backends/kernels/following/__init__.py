"""Plans that follow one in use: where a search begins, its paths, and the best plan on them."""
