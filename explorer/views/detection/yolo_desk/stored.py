"""The cells of a YOLO that is an ONNX file: one grid for each of its levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.networks.onnx.module import OnnxModule
from explorer.networks.onnx.outputs.decoders import LARGEST_LOG
from explorer.views.detection.yolo_desk.cells import FileCells, Grid
from explorer.views.shared.anchors import plain
from explorer.vision.trace.decoded import cell_numbers

if TYPE_CHECKING:
    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.networks.onnx.outputs.grids import GridLevel

NAMES = {
    "yolov5": ("x", "y", "w", "h", "obj"),
    "yolov8": ("x", "y", "w", "h"),
    "yolox": ("tx", "ty", "tw", "th", "obj"),
}
"""Of the numbers of a box, in the file's order; classes follow."""
OFFSETS = {
    "yolov5": ("x in cell", "y in cell", "w / anchor", "h / anchor"),
    "yolov8": ("left, cells", "top, cells", "right, cells", "bottom, cells"),
    "yolox": ("x, cells", "y, cells", "w, cells", "h, cells"),
}
"""Where the numbers put a box; an anchor that is not known is as large as a cell."""


def file_grids(scene: Scene) -> tuple[Grid, ...]:
    """A grid for each level of the scene's network, the file's first level first.

    Raises:
        ExplorerError: It is no ONNX file of a YOLO.
    """
    module = scene.network.module
    if not isinstance(module, OnnxModule):
        raise ExplorerError("This network is no ONNX file.", "Choose another network.")
    found = cell_numbers(module, scene.input())
    names = NAMES[found.form]
    numbers, scores, boxes = plain(found.numbers), plain(found.scores), plain(found.boxes)
    classes = plain(found.numbers)[:, len(names) :][:, : scores.shape[1]]
    objectness = numbers[:, 4] if len(names) == 5 else scores.max(axis=1)
    back = scene.frame.inverse()
    grids: list[Grid] = []
    first = 0
    for at, level in enumerate(found.cells.levels):
        rows = slice(first, first + level.count)
        first += level.count
        shape = (level.rows, level.columns, level.per_cell)
        sure = objectness[rows].reshape(shape)
        best = sure.argmax(axis=2)[..., None, None]
        anchors = found.cells.anchors[rows]
        sides = (anchors[:, 2:] - anchors[:, :2])[: level.per_cell]
        own = np.take_along_axis(classes[rows].reshape(*shape, -1), best, axis=2)[:, :, 0]
        x, y = level.stride
        grids.append(
            Grid(
                numbers[rows, : len(names)].reshape(*shape[:2], -1),
                back.boxes(boxes[rows]).reshape(*shape, 4),
                sure,
                own,
                (sides * np.array([back.sx, back.sy])).astype(np.float32),
                (
                    (np.arange(level.columns + 1) * x * back.sx + back.tx).astype(np.float32),
                    (np.arange(level.rows + 1) * y * back.sy + back.ty).astype(np.float32),
                ),
                numbers.shape[1] * level.per_cell,
                file=FileCells(
                    found.form, at + 1, len(found.cells.levels), x, names, OFFSETS[found.form],
                    _offsets(found.form, numbers[rows], level, sides, known=found.cells.known),
                    scores[rows].max(axis=1).reshape(shape),
                    scores[rows].argmax(axis=1).reshape(shape), found.cells.known,
                ),
            )
        )  # fmt: skip
    return tuple(grids)


def _offsets(
    form: str, numbers: Float32, level: GridLevel, sides: Float32, *, known: bool
) -> Float32:
    """(rows, columns, B, 4), see `OFFSETS`."""
    stride = np.array(level.stride, np.float32)
    row, column = np.meshgrid(np.arange(level.rows), np.arange(level.columns), indexing="ij")
    cell = np.stack([column, row], axis=-1)[:, :, None].astype(np.float32)
    own = numbers[:, :4].reshape(level.rows, level.columns, level.per_cell, 4)
    middle, size = own[..., :2], own[..., 2:]
    if form == "yolov5":
        found = [middle / stride - cell, size / (sides if known else stride)]
    elif form == "yolov8":
        point = cell + 0.5
        found = [point - (middle - size / 2) / stride, (middle + size / 2) / stride - point]
    else:
        found = [middle + cell, np.exp(np.minimum(size, LARGEST_LOG))]
    return np.concatenate(found, axis=-1).astype(np.float32)
