"""What the traces of all detectors are made of: the pyramid, the filter, and who suppressed whom.

Tensors stay on the network's device. Boxes are x0, y0, x1, y1 in pixels of the *transformed* image
(the backbone's input: resized, and padded at its right and lower border), y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torchvision.ops import box_iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.networks.preprocess import Frame


class Place(NamedTuple):
    """Where an anchor stands: position of the level, the cell, and which of the cell's it is."""

    level: int
    row: int
    column: int
    prior: int


@dataclass(frozen=True, slots=True)
class Level:
    """One map of the pyramid and the anchors that stand on it, cell by cell, row by row.

    Attributes:
        name: The backbone's name of the feature map.
        rows: Cells from top to bottom.
        columns: Cells from left to right.
        stride: Pixels of the transformed image from one cell to the next, (x, y).
        per_cell: Anchors of every cell.
        first: The index of this level's first anchor among those of all levels.
        shapes: Width and height of the `per_cell` anchors, in pixels of the transformed image.
    """

    name: str
    rows: int
    columns: int
    stride: tuple[float, float]
    per_cell: int
    first: int
    shapes: tuple[tuple[float, float], ...]

    @property
    def count(self) -> int:
        return self.rows * self.columns * self.per_cell

    def index(self, row: int, column: int, prior: int = 0) -> int:
        """The anchor's index among those of all levels."""
        return self.first + (row * self.columns + column) * self.per_cell + prior

    def cell_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of the cell that covers a place of the transformed image, or None."""
        column, row = int(x // self.stride[0]), int(y // self.stride[1])
        inside = 0 <= row < self.rows and 0 <= column < self.columns
        return (row, column) if inside else None

    def cell_box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """The square of the transformed image that the cell stands for."""
        x, y = self.stride
        return column * x, row * y, (column + 1) * x, (row + 1) * y


def level_of(levels: Sequence[Level], index: int) -> int:
    """The position of the level that anchor `index` stands on."""
    return max(i for i, level in enumerate(levels) if level.first <= index)


def place_of(levels: Sequence[Level], index: int) -> Place:
    """Where anchor `index` stands.

    Raises:
        IndexError: When there is no such anchor.
    """
    if not 0 <= index < levels[-1].first + levels[-1].count:
        raise IndexError(f"there is no anchor {index}")
    number = level_of(levels, index)
    level = levels[number]
    cell, prior = divmod(index - level.first, level.per_cell)
    return Place(number, *divmod(cell, level.columns), prior)


def make_levels(
    maps: Sequence[tuple[str, int, int]],
    per_cell: Sequence[int],
    anchors: Tensor,
    padded: tuple[int, int],
) -> tuple[Level, ...]:
    """The levels of a pyramid, with strides and shapes read from the anchors themselves.

    Args:
        maps: Name, rows and columns of every feature map.
        per_cell: Anchors in every cell, for each map.
        anchors: (N, 4), level after level, row after row, cell after cell.
        padded: Height and width of the transformed image with its padding.

    Raises:
        ValueError: When the anchors are not as many as the cells ask for.
    """
    counts = [rows * columns * k for (_, rows, columns), k in zip(maps, per_cell, strict=True)]
    if sum(counts) != len(anchors):
        raise ValueError(f"{len(anchors)} anchors do not stand on {sum(counts)} places")
    firsts = [sum(counts[:i]) for i in range(len(counts))]
    asked: list[int] = []
    for (_, rows, columns), k, first in zip(maps, per_cell, firsts, strict=True):
        right, below = k if columns > 1 else 0, k * columns if rows > 1 else 0
        asked += [first + right, first + below, *range(first, first + k)]
    found = iter(anchors[torch.tensor(asked, device=anchors.device)].tolist())
    levels = []
    for (name, rows, columns), k, first in zip(maps, per_cell, firsts, strict=True):
        right, below = next(found), next(found)
        own = [next(found) for _ in range(k)]
        stride = (
            round((right[0] + right[2] - own[0][0] - own[0][2]) / 2, 3) or padded[1] / columns,
            round((below[1] + below[3] - own[0][1] - own[0][3]) / 2, 3) or padded[0] / rows,
        )
        shapes = tuple((x1 - x0, y1 - y0) for x0, y0, x1, y1 in own)
        levels.append(Level(name, rows, columns, stride, k, first, shapes))
    return tuple(levels)


@dataclass(frozen=True, eq=False)
class Pyramid:
    """What both families have in common: the backbone's input, its maps, the anchors.

    Attributes:
        image: (1, 3, H, W), resized, normalized and padded.
        size: Height and width without the padding.
        frame: From the photo's pixels to the transformed image.
        features: (1, C, h, w) by name, in the backbone's order.
        levels: One for each feature map.
        anchors: (N, 4).
    """

    image: Tensor
    size: tuple[int, int]
    frame: Frame
    features: dict[str, Tensor]
    levels: tuple[Level, ...]
    anchors: Tensor


@dataclass(frozen=True, eq=False)
class AnchorAnswers:
    """N anchors, cell by cell, and the network's outputs for each.

    Boxes are x0, y0, x1, y1 in pixels of the network's own (transformed) image, y down.

    Attributes:
        frame: From the photo's pixels, or those of the module's input, to those of the boxes.
        size: Height and width of the transformed image without padding.
        levels: Where the anchors stand (`explorer.vision.trace.make_levels` makes them).
        anchors: (N, 4).
        scores: (N,) in [0, 1]: objectness, or the best class's score.
        refined: (N, 4), the anchors moved by the network's deltas, not clipped.
        labels: (N,) int64, the best class of each anchor; None where anchors have no class.
        meaning: What a score is, in a word or two: "objectness", "best class".
    """

    frame: Frame
    size: tuple[int, int]
    levels: tuple[Level, ...]
    anchors: Tensor
    scores: Tensor
    refined: Tensor
    labels: Tensor | None
    meaning: str


@dataclass(frozen=True, eq=False)
class Stage:
    """A step of a filter: `ids` (n,) int64 are the candidates still there, in the network's order.

    Names: "top_k" (best before NMS), "large" (too small ones gone), "min_score" (low scores gone),
    "nms", "top_n" (best after NMS).
    """

    name: str
    ids: Tensor


class Suppressors(NamedTuple):
    """For every row of an `Nms`: the row that suppressed it (-1 = none did), and their IoU."""

    rows: Tensor
    ious: Tensor


@dataclass(frozen=True, eq=False)
class Nms:
    """One greedy non-maximum suppression: what went in, what stayed, and who suppressed whom.

    Attributes:
        ids: (K,) int64, which candidate every row is.
        boxes: (K, 4), clipped to the image.
        scores: (K,) in [0, 1].
        groups: (K,) int64; boxes of different groups (levels or classes) leave each other alone.
        threshold: Two boxes of a group whose IoU is larger do not both stay.
        kept: (n,) int64 rows that stay, the best first.
        most: How many of `kept` are passed on.
    """

    ids: Tensor
    boxes: Tensor
    scores: Tensor
    groups: Tensor
    threshold: float
    kept: Tensor
    most: int

    @property
    def top(self) -> Tensor:
        """(m,) int64 rows that are passed on, the best first."""
        return self.kept[: self.most]

    @cached_property
    def suppressors(self) -> Suppressors:
        """Computed when first needed: the best kept box of the group that overlaps too much.

        The network compares boxes that are shifted apart by their group, whose rounding may lie on
        the other side of the threshold; then it is the largest overlap with a better box.
        """
        rows = torch.full_like(self.ids, -1)
        ious = torch.zeros(len(self.ids), dtype=torch.float32, device=self.ids.device)
        gone = torch.ones_like(self.ids, dtype=torch.bool)
        gone[self.kept] = False
        for group in torch.unique(self.groups[gone]):
            suppressed = torch.where(gone & (self.groups == group))[0]
            stayed = self.kept[self.groups[self.kept] == group]
            overlap = box_iou(self.boxes[stayed].float(), self.boxes[suppressed].float())
            better = self.scores[stayed, None] >= self.scores[suppressed]
            overlap = overlap.where(better, -1.0)
            over = overlap > self.threshold
            by = torch.where(over.any(0), over.byte().argmax(0), overlap.argmax(0))
            rows[suppressed] = stayed[by]
            ious[suppressed] = overlap.gather(0, by[None])[0]
        return Suppressors(rows, ious)


@dataclass(frozen=True, eq=False)
class Filter:
    """From many candidates to few boxes.

    Attributes:
        total: Number of candidates; an id is 0 … total - 1.
        stages: In the order in which the network applies them.
        nms: The suppression among them; its `ids` are those of the stage before.
    """

    total: int
    stages: tuple[Stage, ...]
    nms: Nms

    def after(self, name: str) -> Tensor:
        """Ids that are still there after the named stage."""
        return next(stage.ids for stage in self.stages if stage.name == name)

    @property
    def survivors(self) -> Tensor:
        """(m,) int64 ids at the end, the best first."""
        return self.stages[-1].ids

    def ends(self) -> Tensor:
        """(total,) uint8: the position of the stage that dropped each candidate.

        ``len(stages)`` means that none did.
        """
        device = self.nms.ids.device
        ends = torch.zeros(self.total, dtype=torch.uint8, device=device)
        for number, stage in enumerate(self.stages, start=1):
            ends[stage.ids] = number
        return ends

    def end(self, candidate: int) -> str:
        """The name of the stage that dropped this candidate, or "" when it is still there."""
        for stage in self.stages:
            if not bool((stage.ids == candidate).any()):
                return stage.name
        return ""

    def suppressor(self, candidate: int) -> tuple[int, float] | None:
        """The id of the candidate that suppressed this one, and their IoU; None if none did."""
        (found,) = torch.where(self.nms.ids == candidate)
        if len(found) == 0:
            return None
        row = int(found[0])
        by = int(self.nms.suppressors.rows[row])
        return None if by < 0 else (int(self.nms.ids[by]), float(self.nms.suppressors.ious[row]))

    def suppressed(self, candidate: int) -> Tensor:
        """(n,) int64 ids of the candidates that this one suppressed, the best first."""
        (found,) = torch.where(self.nms.ids == candidate)
        if len(found) == 0:
            return self.nms.ids[:0]
        (rows,) = torch.where(self.nms.suppressors.rows == found[0])
        return self.nms.ids[rows[self.nms.scores[rows].argsort(descending=True, stable=True)]]
