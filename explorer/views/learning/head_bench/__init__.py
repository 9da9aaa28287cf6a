"""Heads that are trained on the frozen features of a network, on the user's own photos."""
