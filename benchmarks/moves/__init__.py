"""What few moves keep of the balance, and what samples bring."""
