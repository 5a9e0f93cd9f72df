"""Items that change packs until no pack has two of an expert and the busiest pack is as light as swaps make it."""
