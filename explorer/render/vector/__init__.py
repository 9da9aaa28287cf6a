"""Boards as figures: shapes stay shapes and words stay words, in SVG and PDF."""

WIDTH_MM = 86.0
"""Of a figure, by default: one column of a journal's two."""

FONT_SIZE = 8.0
"""Of a figure's body text in points, by default."""

WIDTHS_MM = (20.0, 1000.0)
"""The narrowest and the widest figure."""

FONT_SIZES = (3.0, 72.0)
"""The smallest and the largest body text, in points."""
