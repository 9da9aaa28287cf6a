"""What can be drawn: a closed list of layers, and the board a view arranges them on.

A layer is a frozen picture of some numbers: numpy only, no Qt, no torch. The window, an image file
and a notebook paint the same board. Layers are compared by identity: a `draw` that returns the very
same layer object again tells the painter that nothing has to be uploaded or built again, so a view
keeps its heavy layers in its result and only makes the cheap ones afresh.

Frames. Every coordinate is in the frame of the pane it lies in: x to the right, y down, in units of
that pane's pixels, where pixel ``(row i, column j)`` covers ``[j, j + 1) x [i, i + 1)``. A pane
that shows the photo uses the photo's own pixels (``Pane.frame == "image"``), whatever the
size of the network's input.

Its parts are `arrays`, `shapes`, `charts` and `board`; everybody imports from here.
"""

from explorer.core.color_sets import Color
from explorer.core.colormaps import (
    COLORMAPS,
    Colormap,
    class_colors,
    colors_apart,
    label_colors,
    lookup_table,
)
from explorer.core.layers.arrays import Heat, Masks, Picture, cell_at, extent_of, heat_index
from explorer.core.layers.board import UNTRAINED, Board, Layer, Link, Pane, joined, stamped
from explorer.core.layers.charts import Curve, Plot, Table, numeric
from explorer.core.layers.checks import Extent, Float32, UInt8
from explorer.core.layers.shapes import (
    SMALLEST_LETTERS,
    Boxes,
    Grid,
    Lines,
    Points,
    Text,
    box_beside,
    boxes_at,
    frame_widths,
    letters_inside,
    lines_inside,
)

__all__ = [
    "COLORMAPS",
    "SMALLEST_LETTERS",
    "UNTRAINED",
    "Board",
    "Boxes",
    "Color",
    "Colormap",
    "Curve",
    "Extent",
    "Float32",
    "Grid",
    "Heat",
    "Layer",
    "Lines",
    "Link",
    "Masks",
    "Pane",
    "Picture",
    "Plot",
    "Points",
    "Table",
    "Text",
    "UInt8",
    "box_beside",
    "boxes_at",
    "cell_at",
    "class_colors",
    "colors_apart",
    "extent_of",
    "frame_widths",
    "heat_index",
    "joined",
    "label_colors",
    "letters_inside",
    "lines_inside",
    "lookup_table",
    "numeric",
    "stamped",
]
