"""The package as a whole: its names, types, imports, and the wheel."""
