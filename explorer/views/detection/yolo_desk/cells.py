"""The numbers of a YOLO's cells, moved into the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.yolo import YOLOv1, YOLOv2, boxes_apart
from explorer.views.shared.anchors import plain
from explorer.vision.trace.yolo import cells_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame
    from explorer.vision.trace.yolo import Cells


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The tree of YOLO9000 and its probabilities.

    Attributes:
        words: T names.
        parents: (T,) positions, -1 at the top.
        given: (rows, columns, B, T) float32: the probability of a word given its parent.
        total: Likewise: the product along its way from the root.
    """

    words: tuple[str, ...]
    parents: NDArray[np.int64]
    given: Float32
    total: Float32

    def descent(self, row: int, column: int, box: int, least: float) -> tuple[int, ...]:
        """From the root to the most probable child as long as it has `least`, as the network does.

        Its rule is that of Redmon and Farhadi 2017, section 4: a word's own probability, all in
        all, decides.
        """
        way: list[int] = []
        total = self.total[row, column, box]
        while True:
            children = self.children(way[-1] if way else -1)
            if not len(children):
                return tuple(way)
            best = int(children[total[children].argmax()])
            if total[best] < least:
                return tuple(way)
            way.append(best)

    def children(self, word: int) -> NDArray[np.intp]:
        """Positions of the words right below it; those at the top for -1."""
        return np.flatnonzero(self.parents == word)


@dataclass(frozen=True, slots=True, eq=False)
class FileCells:
    """What the cells of one level of an ONNX file have beside those of our networks.

    Attributes:
        form: How its outputs are read: "yolov5", "yolov8" or "yolox".
        level: From 1, in the file's order.
        levels: How many there are.
        stride: Pixels of the input from cell to cell.
        names: Of the numbers of a box.
        meanings: Of the offsets.
        offsets: (rows, columns, B, 4) float32: the box in cells, from its cell's corner or middle.
        scores: (rows, columns, B) float32 of each box's best class.
        best: (rows, columns, B) int64, that class; class k has the label k + 1.
        known: The file has anchors; else squares of a cell stand for them.
    """

    form: str
    level: int
    levels: int
    stride: float
    names: tuple[str, ...]
    meanings: tuple[str, ...]
    offsets: Float32
    scores: Float32
    best: NDArray[np.int64]
    known: bool


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """All that the cells predict; S is one number for v1, rows and columns for v2 and files.

    Attributes:
        numbers: (rows, columns, C) float32: for v1 the tensor of the paper, for v2 one row of
            tx, ty, tw, th, to of every prior after another.
        boxes: (rows, columns, B, 4) float32 xyxy in the photo's pixels, not clipped.
        confidence: (rows, columns, B) float32: v1's confidence, v2's objectness.
        classes: (rows, columns, K) float32: v1's class numbers; v2's class probabilities of the
            prior with the largest objectness. Class k has the label k + 1.
        priors: (B, 2) width and height in the photo's pixels; empty for v1.
        depth: How many numbers the network has for a cell; v2 has its words' as well.
        lines: Edges of the cells in the photo's pixels: (columns + 1,) and (rows + 1,).
        words: Of v2 with a tree.
        file: Of an ONNX file; its confidence is its objectness, of YOLOv8 the score.
    """

    numbers: Float32
    boxes: Float32
    confidence: Float32
    classes: Float32
    priors: Float32
    lines: tuple[Float32, Float32]
    depth: int
    words: Words | None = None
    file: FileCells | None = None

    @property
    def word(self) -> str:
        """What the boxes of a cell are called."""
        if self.file is not None:
            return "anchor" if self.file.known else "box"
        return "box" if self.first else "prior"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers of a box."""
        if self.file is not None:
            return self.file.names
        return ("x", "y", "√w", "√h", "c") if self.first else ("tx", "ty", "tw", "th", "to")

    @property
    def first(self) -> bool:
        """Whether it is v1."""
        return not len(self.priors)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and boxes of a cell."""
        rows, columns, boxes = self.confidence.shape
        return rows, columns, boxes

    def at(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of the cell at a point of the photo; None beside all."""
        xs, ys = self.lines
        row, column = (int(np.searchsorted(e, v, "right")) - 1 for e, v in ((ys, y), (xs, x)))
        inside = 0 <= row < len(ys) - 1 and 0 <= column < len(xs) - 1
        return (row, column) if inside else None

    def cell_box(self, row: int, column: int) -> Float32:
        """(1, 4) xyxy in the photo's pixels."""
        xs, ys = self.lines
        return np.array([[xs[column], ys[row], xs[column + 1], ys[row + 1]]], np.float32)

    def best_cell(self) -> tuple[int, int]:
        """The one whose best box has the largest product of confidence and class."""
        scores = self.confidence.max(axis=2).clip(0, 1) * self.classes.max(axis=2).clip(0, 1)
        if self.file is not None:
            scores = self.file.scores.max(axis=2)
        row, column = np.unravel_index(int(scores.argmax()), scores.shape)
        return int(row), int(column)


def cells_in(scene: Scene) -> Cells:
    """The network's own numbers for the photo; its frame is from the module's input.

    Raises:
        ExplorerError: The network is no YOLO.
    """
    module = scene.network.module
    if not isinstance(module, YOLOv1 | YOLOv2):
        raise ExplorerError(
            f"{scene.network.info.title} has no cells of a YOLO.",
            "Choose lite-yolo-v1, lite-yolo-v2, or an ONNX file of a YOLO.",
        )
    return scene.memo("yolo cells", lambda: cells_of(module, scene.shown(scene.input())))


@torch.no_grad()
def grid_of(scene: Scene) -> Grid:
    """See `Grid`."""
    found, module = cells_in(scene), scene.network.module
    numbers = found.numbers
    back = scene.frame.then(found.frame).inverse()
    rows, columns = numbers.shape[:2]
    height, width = found.padded
    xs = np.linspace(0, width, columns + 1) * back.sx + back.tx
    ys = np.linspace(0, height, rows + 1) * back.sy + back.ty
    lines = xs.astype(np.float32), ys.astype(np.float32)
    if isinstance(module, YOLOv1):
        parts = module.boxes_of(numbers)
        pixels = parts * numbers.new_tensor([width, height, width, height])
        own = boxes_apart(numbers, module.boxes)
        return Grid(
            plain(numbers), _moved(pixels, back), plain(own[..., 4]),
            plain(numbers[..., 5 * module.boxes :]), np.zeros((0, 2), np.float32), lines,
            numbers.shape[-1],
        )  # fmt: skip
    assert isinstance(module, YOLOv2)
    priors, tree = module.priors.shape[0], module.tree
    flat = numbers.flatten(0, 2)
    given, total = tree.conditional(flat[:, 5:]).exp(), tree(flat[:, 5:])
    shape = (rows, columns, priors, -1)
    by_class = tree.per_label(total, module.num_classes)[:, 1:].reshape(shape)
    objectness = numbers[..., 4].sigmoid()
    best = objectness.argmax(dim=2)[..., None, None].expand(-1, -1, 1, by_class.shape[-1])
    words = Words(
        tree.words, np.array(tree.parents, np.int64), plain(given).reshape(shape),
        plain(total).reshape(shape),
    )  # fmt: skip
    sides = plain(module.priors) * module.stride * np.array([back.sx, back.sy], np.float32)
    return Grid(
        plain(numbers[..., :5]).reshape(rows, columns, -1),
        _moved(module.stride * module.boxes_of(numbers), back), plain(objectness),
        plain(by_class.gather(2, best)[:, :, 0]), sides, lines, priors * numbers.shape[-1],
        words if len(set(tree.parents)) > 1 else None,
    )  # fmt: skip


def _moved(boxes: torch.Tensor, back: Frame) -> Float32:
    """(rows, columns, B, 4) of the body's input, in the photo's pixels."""
    return back.boxes(plain(boxes).reshape(-1, 4)).reshape(boxes.shape)


def channel_names(grid: Grid, classes: Sequence[str]) -> tuple[str, ...]:
    """What each of the numbers of a cell is."""
    boxes = grid.shape[2]
    if grid.first:
        return (
            *(f"{name}{box + 1}" for box in range(boxes) for name in grid.names),
            *(classes[k + 1] for k in range(grid.classes.shape[2])),
        )
    return tuple(f"{name} {box + 1}" for box in range(boxes) for name in grid.names)
