"""What the view of semantic segmentation computes, and what its panes read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import class_colors, colors_apart
from explorer.networks.preprocess import SAME_FRAME, Frame
from explorer.views.segmentation.semantic.params import BACKGROUND, object_classes
from explorer.views.shared.common import class_name
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.segmentation import in_photo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32, Picture, UInt8
    from explorer.core.params import Mask
    from explorer.views.segmentation.semantic.params import Params
    from explorer.vision.features.segmentation import Segmentation


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A class for every pixel.

    Attributes:
        photo: The photo.
        found: Classes and probabilities over the network's input.
        best: (H, W) float16, the probability of the top class.
        extent: The network's input in the photo's pixels.
        classes: The network's names by index.
        coarser: The classes at larger strides, see `coarser_answers`; empty without FCN stages.
        frame: From the photo's pixels to those of the network's input.
    """

    photo: Picture
    found: Segmentation
    best: NDArray[np.float16]
    extent: Extent
    classes: tuple[str, ...]
    coarser: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    frame: Frame = SAME_FRAME
    cache: DrawCache = field(default_factory=lambda: DrawCache(16))

    @property
    def names(self) -> tuple[str, ...]:
        """Of all classes, also where the network has no names."""
        return tuple(class_name(self.classes, k) for k in range(len(self.found.probabilities)))

    @property
    def has_background(self) -> bool:
        """Class 0 is none of an object."""
        return bool(self.classes) and self.classes[0] in BACKGROUND

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photo."""
        return self.photo.rgb.shape[0], self.photo.rgb.shape[1]

    def colors(self) -> UInt8:
        """(C, 3): the colors of all classes, those in the picture told apart."""

        def found() -> list[int]:
            maps = (self.found.classes, *self.coarser.values())
            present: list[int] = np.unique(np.concatenate([m.ravel() for m in maps])).tolist()
            return present

        present = self.cache.get("present", found)
        colors = class_colors(len(self.found.probabilities)).copy()
        colors[present] = colors_apart(present, len(colors))
        return colors

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of the network's pixel at (x, y) of the photo."""
        x0, y0, x1, y1 = self.extent
        height, width = self.found.classes.shape
        row, column = (y - y0) / (y1 - y0) * height, (x - x0) / (x1 - x0) * width
        return (int(row), int(column)) if 0 <= row < height and 0 <= column < width else None

    def on_photo(self) -> NDArray[np.int32]:
        """(H, W) the class of every pixel of the photo; -1 where the network was not shown it."""
        return self.cache.get(
            ("on photo",), lambda: in_photo(self.found.classes, self.frame, self.size)
        )


def colored(index: NDArray[np.int32], result: Result, params: Params) -> NDArray[np.int32]:
    """`index` with -1 where a class is not to be colored."""
    shown = np.ones(len(result.found.probabilities) + 1, np.bool_)
    if params.classes:
        shown[:-1] = [name in params.classes for name in _padded(result)]
    if result.has_background:
        shown[0] = params.background
    shown[-1] = False
    return np.where(shown[index], index, np.int32(-1))


def _padded(result: Result) -> tuple[str, ...]:
    count = len(result.found.probabilities)
    return (*result.classes, *("",) * count)[:count]


def entropy(result: Result) -> Float32:
    """(H, W) float32 in bits: -sum p log2 p; 0 = one class is certain."""
    p = result.found.probabilities.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(p > 0, -p * np.log2(p), np.float32(0))
    total: Float32 = parts.sum(axis=0, dtype=np.float32)
    return total


def margin(result: Result) -> Float32:
    """(H, W) float32 in [0, 1]: the largest probability minus the second largest."""
    two = np.partition(result.found.probabilities, -2, axis=0)[-2:].astype(np.float32)
    apart: Float32 = two[1] - two[0]
    return apart


def true_classes(mask: Mask, result: Result) -> NDArray[np.int32] | None:
    """(H, W) the network's class of every pixel of a ground-truth mask, -1 = not counted.

    Index k is the k-th class of `object_classes`, 0 the background where the network has one.
    None for a mask of another size.
    """
    if (mask.height, mask.width) != result.size:
        return None
    table = np.full(256, -1, np.int32)
    names = object_classes(result.classes)
    for index, name in enumerate(names[:254], 1):
        table[index] = result.classes.index(name)
    if result.has_background:
        table[0] = 0
    return table[mask.index()]


def indexed(result: Result) -> NDArray[np.int32]:
    """(H, W) the prediction in the indices of a ground-truth mask; 255 outside of the input."""
    names = object_classes(result.classes)
    table = np.zeros(len(result.found.probabilities) + 1, np.int32)
    for index, name in enumerate(names, 1):
        table[result.classes.index(name)] = index
    table[-1] = 255
    return table[result.on_photo()]
