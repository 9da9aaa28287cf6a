"""Faster forms of a network with the same outputs up to rounding: for live and dreams."""
