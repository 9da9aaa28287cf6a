"""What a scan with windows has found so far, and what all of it will cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from explorer.core.layers import Float32, Picture
    from explorer.vision.classic.sliding_window import WindowGrid

BEST = "the photo's top class"


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The first windows of all, classified.

    Attributes:
        photo: Itself.
        classes: Names by index.
        top: The most probable class of the whole photo.
        grids: All windows, by their sizes.
        side: Of the network's input.
        boxes: (M, 4) float32 xyxy in the photo's pixels, of those that will be classified.
        shares: (n, classes) float32, the probabilities of the first n.
        batch: How many of them were classified last, together; 0 before the first.
        warping: Seconds that cutting out and stretching took.
        network: Seconds that the network took.
    """

    photo: Picture
    classes: tuple[str, ...]
    top: int
    grids: tuple[WindowGrid, ...]
    side: int
    boxes: Float32
    shares: Float32
    batch: int
    warping: float
    network: float
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))

    @property
    def done(self) -> int:
        return len(self.shares)

    @property
    def total(self) -> int:
        """Windows of all grids."""
        return sum(grid.count for grid in self.grids)

    @property
    def finished(self) -> bool:
        return self.done == len(self.boxes)

    @property
    def seconds(self) -> float:
        return self.warping + self.network

    @property
    def per_window(self) -> float:
        """Seconds, measured so far; 0 before the first window."""
        return self.seconds / self.done if self.done else 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photo."""
        height, width = self.photo.rgb.shape[:2]
        return height, width


def label_of(result: Result, label: str) -> int:
    """The class that a parameter names."""
    return result.classes.index(label) if label in result.classes else result.top
