"""What plans are worth on the steps that come after those they were made for."""
