"""Plans that follow another."""
