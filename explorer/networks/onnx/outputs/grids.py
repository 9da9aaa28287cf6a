"""Which cell each box of a detector's outputs came from, and the anchors that a file has inside.

Detectors write their boxes level after level. YOLOv5 and v7 write a level anchor by anchor, each
over all cells, row by row; YOLOv8, YOLOX and SSD write it cell by cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.networks.onnx.packages import needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.networks.onnx.outputs.decoders import Decoding
    from explorer.networks.onnx.reading import OnnxFile

    Float32 = NDArray[np.float32]

STRIDES = ((8, 16, 32), (8, 16, 32, 64), (16, 32), (32,), (16,), (8,), (8, 16), (16, 32, 64))
"""Of the levels of YOLO's detectors, the usual ones first."""
FORMS_OF_CELLS = ("yolov5", "yolov8", "yolox")
"""Whose outputs are the numbers of each cell's boxes."""
PER_CELL = (3, 2, 5, 4, 6, 9, 1)
"""Anchors of every cell, the usual numbers first."""
LEAST_ANCHORS = 16
"""Fewer rows of four numbers are no anchors of a photo."""
SAME = 1e-4
"""Of the image's size: centers that are no farther apart are one."""


@dataclass(frozen=True, slots=True)
class GridLevel:
    """One map of cells; `stride` is in pixels of the network's input, (x, y)."""

    rows: int
    columns: int
    stride: tuple[float, float]
    per_cell: int

    @property
    def count(self) -> int:
        return self.rows * self.columns * self.per_cell


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Where the boxes of a network stand.

    Attributes:
        levels: In the order of the outputs.
        order: (A,) int64: which of the network's boxes stands at each place, level after level,
            row after row, cell after cell, box after box.
        anchors: (A, 4) x0, y0, x1, y1 in pixels of the input, in that order. Where the file has
            none they are squares of one cell's width in the middle of their cell.
        known: The anchors are the file's own.
    """

    levels: tuple[GridLevel, ...]
    order: NDArray[np.int64]
    anchors: Float32
    known: bool


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """What in a file may be anchors.

    Attributes:
        sizes: For each level (k, 2) float32, width and height of its anchors in pixels.
        boxes: (A, 4) float32 arrays, whatever their four numbers are.
        halves: (A, 2) float32 arrays: exporters write centers and sizes apart.
    """

    sizes: tuple[Float32, ...] = ()
    boxes: tuple[Float32, ...] = ()
    halves: tuple[Float32, ...] = ()


def constants_of(file: OnnxFile) -> Constants:
    """The constants of a file that may be anchors."""
    sizes, boxes, halves = [], [], []
    for name, values in _floats(file):
        if values.ndim == 5 and values.shape[0] == 1 and values.shape[-1] == 2:
            flat = values.reshape(values.shape[1], -1, 2)
            if (flat == flat[:, :1]).all() and (flat > 0).all():  # a grid has other numbers
                sizes.append(flat[:, 0] / _factor(file, name))
        rows = values[0] if values.ndim == 3 and values.shape[0] == 1 else values
        if rows.ndim == 2 and rows.shape[1] == 4 and len(rows) >= LEAST_ANCHORS:
            boxes.append(rows)
        elif rows.ndim == 2 and rows.shape[1] == 2 and len(rows) >= LEAST_ANCHORS:
            halves.append(rows)
    return Constants(tuple(sizes), tuple(boxes), tuple(halves))


def _floats(file: OnnxFile) -> Iterator[tuple[str, Float32]]:
    onnx = needed("onnx")
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    named = [(tensor.name, tensor) for tensor in file.model.graph.initializer]
    for node in file.model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            named.append((node.output[0], node.attribute[0].t))
    for name, tensor in named:
        last = tensor.dims[-1] if len(tensor.dims) in (2, 3, 5) else 0
        if tensor.data_type in kinds and last in (2, 4):
            yield name, onnx.numpy_helper.to_array(tensor).astype(np.float32)


def _factor(file: OnnxFile, name: str) -> float:
    """YOLOv7 squares s and multiplies by 4 anchors, where YOLOv5 squares 2 s."""
    makers = {output: node for node in file.model.graph.node for output in node.output}
    for node in file.model.graph.node:
        if node.op_type == "Mul" and name in node.input:
            squared = next((makers[one] for one in node.input if one in makers), None)
            if squared is None or squared.op_type != "Pow" or not squared.input:
                return 1.0
            base = makers.get(squared.input[0])
            return 1.0 if base is not None and base.op_type == "Mul" else 4.0
    return 1.0


def cells_of(decoding: Decoding, count: int, size: tuple[int, int], constants: Constants) -> Cells:
    """The cells that the boxes of a detector's outputs stand on.

    Args:
        decoding: How the outputs are read.
        count: How many boxes there are.
        size: Height and width of the input.
        constants: Of the file.

    Raises:
        ExplorerError: The outputs do not tell it.
    """
    match decoding.form:
        case "yolov5":
            return _of_anchors(size, count, constants)
        case "yolov8" | "yolox":
            return _of_points(_levels(size, count, (1,)))
        case "ssd":
            return _of_boxes(count, size, constants)
        case "detr":
            why = "each comes from a query, which belongs to no cell"
        case _:
            why = "the network has selected them itself and does not say where each came from"
    raise ExplorerError(
        f"The boxes of this file have no anchors and no cells: {why}.",
        "Choose a detector whose outputs have the form yolov5, yolov8, yolox or ssd.",
    )


def fits(size: tuple[int, int], count: int, form: str) -> bool:
    """Whether that many boxes stand on the cells of YOLO's usual levels."""
    try:
        _levels(size, count, PER_CELL if form == "yolov5" else (1,))
    except ExplorerError:
        return False
    return True


def _levels(
    size: tuple[int, int], count: int, per_cell: Sequence[int], levels: int = 0
) -> tuple[GridLevel, ...]:
    """The usual levels with so many boxes; `levels` is how many there are, 0 = not known."""
    height, width = size
    for each, strides in product(per_cell, STRIDES):
        maps = [(height // stride, width // stride, float(stride)) for stride in strides]
        cells = sum(rows * columns for rows, columns, _ in maps)
        if cells and each * cells == count and levels in (0, len(strides)):
            return tuple(GridLevel(r, c, (stride, stride), each) for r, c, stride in maps)
    raise ExplorerError(
        f"{count:,} boxes do not stand on the cells of a {width} x {height} input with the "
        "strides 8, 16, 32 and 64.",
        "Give the input size that the network was exported for.",
    )


def _of_anchors(size: tuple[int, int], count: int, constants: Constants) -> Cells:
    """From anchor by anchor to cell by cell."""
    sizes, known = constants.sizes, bool(constants.sizes)
    try:
        levels = _levels(size, count, [len(one) for one in sizes[:1]], len(sizes))
    except ExplorerError:  # they are no anchors
        levels, known = _levels(size, count, PER_CELL), False
    order, anchors, first = [], [], 0
    for number, level in enumerate(levels):
        places = np.arange(first, first + level.count)
        by_anchor = places.reshape(level.per_cell, level.rows, level.columns)
        order.append(by_anchor.transpose(1, 2, 0).ravel())
        square = np.tile(np.array(level.stride, np.float32), (level.per_cell, 1))
        anchors.append(_around(level, sizes[number] if known else square))
        first += level.count
    return Cells(levels, np.concatenate(order), np.concatenate(anchors), known)


def _of_points(levels: tuple[GridLevel, ...]) -> Cells:
    squares = [_around(level, np.array([level.stride], np.float32)) for level in levels]
    count = sum(level.count for level in levels)
    return Cells(levels, np.arange(count), np.concatenate(squares), known=False)


def _around(level: GridLevel, sizes: Float32) -> Float32:
    """Boxes of those sizes (k, 2) around the middle of every cell: (rows columns k, 4)."""
    y, x = np.meshgrid(np.arange(level.rows), np.arange(level.columns), indexing="ij")
    middles = (np.stack([x, y], -1).reshape(-1, 1, 2) + 0.5) * np.array(level.stride)
    boxes = np.concatenate([middles - sizes / 2, middles + sizes / 2], axis=-1)
    return boxes.reshape(-1, 4).astype(np.float32)


def _of_boxes(count: int, size: tuple[int, int], constants: Constants) -> Cells:
    """SSD's: the file's own anchors tell the levels too."""
    halves = sorted(constants.halves, key=lambda half: -float(half.mean()))  # variances are small
    pairs = [
        np.concatenate([centers, sizes], axis=1)
        for sizes in halves
        for centers in halves
        if sizes is not centers and len(sizes) == len(centers) == count and (sizes > 0).all()
    ]
    for values in (*(one for one in constants.boxes if len(one) == count), *pairs):
        anchors = _corners(values, size)
        levels = _levels_in(anchors, size)
        if levels is not None:
            return Cells(levels, np.arange(count), anchors, known=True)
    raise ExplorerError(
        f"The file has no anchors: none of its constants holds {count:,} boxes on a grid.",
        "Export the network with its anchors as a constant.",
    )


def _corners(values: Float32, size: tuple[int, int]) -> Float32:
    """x0, y0, x1, y1 in pixels of anchors in corners or in centers and sizes, also in parts."""
    boxes = values.astype(np.float64)
    if not (boxes[:, 2:] > boxes[:, :2]).all():
        boxes = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2],
                               axis=1)  # fmt: skip
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    if middles.max() <= 1.5:
        boxes *= np.array([size[1], size[0], size[1], size[0]])
    return boxes.astype(np.float32)


def _levels_in(anchors: Float32, size: tuple[int, int]) -> tuple[GridLevel, ...] | None:
    """The maps that the middles of anchors scan, row by row; None where they scan none."""
    middles = ((anchors[:, :2] + anchors[:, 2:]) / 2).astype(np.float64)
    if not (anchors[:, 2:] > anchors[:, :2]).all():
        return None
    near = SAME * max(size)
    moved = np.abs(np.diff(middles, axis=0)) > near
    starts = np.concatenate([[0], np.flatnonzero(moved.any(axis=1)) + 1, [len(middles)]])
    cells, each = middles[starts[:-1]], np.diff(starts)
    # A level ends where the scan goes back up, or where cells of another kind begin.
    up = np.diff(cells[:, 1]) < -near
    ends = [0, *(np.flatnonzero(up | (np.diff(each) != 0)) + 1).tolist(), len(cells)]
    found = []
    for first, last in pairwise(ends):
        rows = int((np.diff(cells[first:last, 1]) > near).sum()) + 1
        columns, rest = divmod(last - first, rows)
        if rest:
            return None
        grid = cells[first:last].reshape(rows, columns, 2)
        stride = (
            float(grid[0, 1, 0] - grid[0, 0, 0]) if columns > 1 else float(size[1]),
            float(grid[1, 0, 1] - grid[0, 0, 1]) if rows > 1 else float(size[0]),
        )
        if min(stride) <= 0:
            return None
        steps = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
        if not np.allclose(grid, grid[0, 0] + steps * np.array(stride), atol=min(stride) / 8):
            return None
        found.append(GridLevel(rows, columns, stride, int(each[first])))
    return tuple(found) if max(one.rows * one.columns for one in found) > 1 else None


def box_numbers(outputs: tuple[Tensor, ...], decoding: Decoding) -> Tensor:
    """(A, M) of one image as the file writes them: YOLO's numbers of each box.

    Raises:
        ExplorerError: Of another form.
    """
    if decoding.form not in FORMS_OF_CELLS:
        raise ExplorerError(
            f"The outputs of this file, of the form {decoding.form}, are no numbers of cells.",
            "Choose lite-yolo-v1, lite-yolo-v2, or a file of the form yolov5, yolov8 or yolox.",
        )
    one = next(output for output in outputs if output.ndim == 2)
    return one.T if decoding.form == "yolov8" else one
