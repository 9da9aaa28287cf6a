"""What was computed of a photo at several sizes: scores, boxes, and the same crop by crop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.dense.windows import class_probabilities
from explorer.vision.detection.nms import by_score, merge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Picture
    from explorer.vision.dense.windows import Windows
    from explorer.vision.detection.nms import Merges

BEST = "the most probable"
INPUT = "input"
"""The first stage."""
MERGED = 200
"""Boxes that are merged at most, the highest-scoring ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The photo at one size.

    Attributes:
        windows: Where the windows are: a cell each.
        size: Height and width of the resized photo.
        scores: (C, rows, columns) float32, logits of one pass.
        boxes: (K, rows, columns, 4) float32 xyxy in the photo's pixels, K = 1 or C; None without a
            regressor.
        sizes: Height and width of the map of every stage of the result.
        multiply_adds: Of the pass.
        seconds: Of the pass, measured.
        cropped: (C, rows, columns) float32, logits of the windows one by one; NaN = not computed.
        apart: (rows, columns, side, side) float32, how far the last map of a cropped window is from
            the same part of the photo's: mean |difference| over the channels, as a fraction of the
            mean |value| of the window's map; NaN = not computed.
        crop_seconds: What the cropped windows took, measured.
    """

    windows: Windows
    size: tuple[int, int]
    scores: Float32
    boxes: Float32 | None
    sizes: tuple[tuple[int, int], ...]
    multiply_adds: int
    seconds: float
    cropped: Float32
    apart: Float32
    crop_seconds: float = 0.0

    @property
    def known(self) -> NDArray[np.bool_]:
        """(rows, columns): which windows were cropped."""
        found: NDArray[np.bool_] = np.isfinite(self.cropped[0])
        return found

    @property
    def compared(self) -> bool:
        """Whether all windows were cropped."""
        return bool(self.known.all())

    @property
    def difference(self) -> Float32:
        """(C, rows, columns) logits of one pass minus those of cropped windows."""
        return self.scores - self.cropped

    @property
    def border(self) -> NDArray[np.bool_]:
        """(rows, columns): windows in the outermost rows and columns."""
        found = np.ones(self.scores.shape[1:], bool)
        found[1:-1, 1:-1] = False
        return found


@dataclass(frozen=True, slots=True)
class Stage:
    """A layer and the side of its map for one window; those of equal sides count as one."""

    layer: str
    side: int


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The levels that are done, the smallest photo first.

    Attributes:
        photo: Itself.
        classes: Names by index.
        window: Side of a window in pixels of the resized photos.
        stride: Pixels between the cells of one pass.
        stages: From the input to the last map.
        padded: How many layers pad with zeros.
        one: Multiply-adds of one window.
        regressor: Title of the network whose boxes they are; "" = none.
        reason: Why there is no regressor.
        per_class: Whether `boxes` of the levels are by class.
        levels: See above.
    """

    photo: Picture
    classes: tuple[str, ...]
    window: int
    stride: int
    stages: tuple[Stage, ...]
    padded: int
    one: int
    regressor: str
    reason: str
    per_class: bool
    levels: tuple[Level, ...]
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))

    def level(self, number: int) -> Level:
        """The level of this number, counted from 1, or the last one."""
        return self.levels[min(number, len(self.levels)) - 1]

    def label(self, name: str) -> int:
        """The class of this name, or else the one with the highest probability of any window."""
        if name in self.classes:
            return self.classes.index(name)
        return self.cache.get("label", self._best)

    def _best(self) -> int:
        peaks = [class_probabilities(each.scores).max(axis=(1, 2)) for each in self.levels]
        return int(np.max(peaks, axis=0).argmax())

    def shares(self, label: int) -> list[Float32]:
        """(rows, columns) probabilities of a class, for every level."""
        return self.cache.get(
            ("shares", label),
            lambda: [class_probabilities(each.scores)[label] for each in self.levels],
        )

    def cropped(self, label: int) -> list[Float32]:
        """The same of the cropped windows."""
        return self.cache.get(
            ("cropped", label),
            lambda: [class_probabilities(each.cropped)[label] for each in self.levels],
        )

    def boxes(self, label: int) -> list[Float32]:
        """(rows, columns, 4) of every level: the regressor's boxes, or else the windows."""
        return self.cache.get(
            ("boxes", label), lambda: [self._boxes(each, label) for each in self.levels]
        )

    def _boxes(self, level: Level, label: int) -> Float32:
        if level.boxes is not None:
            own: Float32 = level.boxes[label if self.per_class else 0]
            return own
        rows, columns = level.scores.shape[1:]
        cells = np.argwhere(np.ones((rows, columns), bool))
        return level.windows.boxes(cells).reshape(rows, columns, 4)

    def candidates(self, label: int, least: float) -> Candidates:
        """The boxes of a class of all levels with at least this probability, and their merging."""
        return self.cache.get(("candidates", label, least), lambda: self._found(label, least))

    def _found(self, label: int, least: float) -> Candidates:
        scores = np.concatenate([each.ravel() for each in self.shares(label)])
        boxes = np.concatenate([each.reshape(-1, 4) for each in self.boxes(label)])
        counts = [each.windows.count for each in self.levels]
        levels = np.repeat(np.arange(len(counts)), counts)
        rows = by_score(scores)[:MERGED]
        rows = rows[scores[rows] >= least]
        return Candidates(boxes[rows], scores[rows], levels[rows], merge(boxes[rows], scores[rows]))


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Boxes of a class, the highest-scoring first.

    Attributes:
        boxes: (N, 4) float32 xyxy in the photo's pixels.
        scores: (N,) float32, probabilities.
        levels: (N,) of which level, from 0.
        merges: OverFeat's merging of them.
    """

    boxes: Float32
    scores: Float32
    levels: NDArray[np.intp]
    merges: Merges
