"""Which pack each item goes to: heaviest first, each into the lightest pack that is not full."""
