"""What arrays and records are kept in: no code in them is run, and none takes more memory than it holds."""
