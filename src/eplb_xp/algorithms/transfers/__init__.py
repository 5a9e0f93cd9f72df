"""Where the weights of a new plan come from: the nearest slots that hold them, no GPU sending more than need be."""
