"""Signals and gradients through the layers of networks, and what changes them."""
