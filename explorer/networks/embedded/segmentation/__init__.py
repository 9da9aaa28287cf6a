"""Semantic segmentation networks: what differs is how they get from a coarse map to every pixel."""
