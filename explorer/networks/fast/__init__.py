"""Faster forms of a network that give the same answers up to rounding: for live and dreams."""
