"""Engines' own files: fetched by version, imported with stand-ins for the rest of them."""
