"""A small network is trained; everything about it can be changed meanwhile."""
