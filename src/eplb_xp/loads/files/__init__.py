"""What is in a file of loads: arrays, tables and records of each format, and what may be chosen of them."""
