"""What differs between libraries."""
