"""Boards as pictures, without Qt and torch."""

PICTURE_WIDTH = 1600
"""Of a rendered board in pixels, unless another width is asked for."""
