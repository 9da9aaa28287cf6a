"""Maps over the photo: classes of cells, what a part adds, and how good classes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Heat, Masks, Text, class_colors, colors_apart
from explorer.evaluation.metrics import Confusion
from explorer.views.shared.common import class_name, color, percent
from explorer.vision.dense.grids import CellGrid
from explorer.vision.dense.labels import BACKGROUND, true_classes
from explorer.vision.features.segmentation import in_photo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.core.layers import Colormap, Float32, UInt8
    from explorer.core.values import Mask
    from explorer.networks.preprocess import Frame

KEYED = 6
"""Classes in the color key."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """A class for every cell: `index` (h, w) int32, -1 = none; `names` of its network's classes."""

    index: NDArray[np.int32]
    place: CellGrid
    names: tuple[str, ...]

    @classmethod
    def of(
        cls, scores: Tensor, to_input: Frame, source: tuple[int, int], names: Sequence[str]
    ) -> ClassMap:
        """The classes with the largest of (C, h, w) `scores`."""
        index = scores.argmax(dim=0).int().cpu().numpy()
        place = CellGrid.of(to_input, source, index.shape)
        return cls(index, place, tuple(class_name(names, k) for k in range(len(scores))))

    @property
    def shown(self) -> NDArray[np.int32]:
        """`index` without the background."""
        if self.names and self.names[0] in BACKGROUND:
            return np.where(self.index == 0, np.int32(-1), self.index)
        return self.index

    def differs(self, other: ClassMap) -> NDArray[np.int32]:
        """The classes where they are others than in `other`, of the same size; elsewhere -1."""
        return np.where(self.index == other.index, np.int32(-1), self.index)

    def layer(self, opacity: float, colors: UInt8, index: NDArray[np.int32] | None = None) -> Masks:
        """The classes over the photo; or some of them, in the place of `index`."""
        return Masks(
            self.shown if index is None else index,
            colors,
            names=self.names,
            extent=self.place.extent,
            opacity=opacity,
            outline=index is None,
            name="classes",
        )

    def key(self, below: float, colors: UInt8) -> list[Text]:
        """The colors of the largest classes, in the corner of the photo."""
        found = self.shown[self.shown >= 0]
        if not found.size:
            return []
        counts = np.bincount(found.ravel(), minlength=len(self.names))
        order = [int(k) for k in np.argsort(-counts, kind="stable") if counts[k]][:KEYED]
        words = [f"{self.names[k]} {percent(counts[k] / self.index.size)}" for k in order]
        tints = tuple(color(colors[k]) for k in order)
        return [Text("\n".join(words), (0.0, below), size=9.0, swatches=tints, name="key")]

    def mean_iou(self, truth: Mask, names: Sequence[str], size: tuple[int, int]) -> float | None:
        """Mean intersection over union with a mask of the photo (Long et al. 2015, section 5).

        Args:
            truth: Its indices are those of `object_classes`.
            names: The classes that it was painted with, perhaps of another network.
            size: (H, W) of the photo.

        Returns:
            None when the mask has another size, or no class of this network.
        """
        index = truth.index()
        if index.shape != size:
            return None
        painted = [class_name(names, k) for k in range(len(names))]
        counts = Confusion(len(self.names))
        counts.add(
            true_classes(index, painted, self.names), in_photo(self.index, self.place.frame, size)
        )
        found = counts.iou()
        return float(np.mean(list(found.values()))) if found else None


def present_in(own: ClassMap, *others: ClassMap) -> list[int]:
    """The classes of some maps: first the network's own, then what the others add."""
    found = [int(k) for each in (own, *others) for k in np.unique(each.index) if k >= 0]
    return list(dict.fromkeys(found))


def colors_of(present: list[int], count: int) -> UInt8:
    """(count, 3): the colors of all classes, those that are `present` told apart.

    They are those of the view of semantic segmentation: the network's own classes come first, and
    what further maps add changes nothing of theirs.
    """
    colors = class_colors(count).copy()
    colors[present] = colors_apart(present, count)
    return colors


def heat(
    values: Float32, place: CellGrid, *, high: float, colormap: Colormap, unit: str, opacity: float
) -> Heat:
    """Numbers over the photo: from 0, or around it with the color map "coolwarm"."""
    low = -high if colormap == "coolwarm" else 0.0
    return Heat(
        values, low, high, colormap, extent=place.extent, opacity=opacity, unit=unit, name=unit
    )


def array(values: Tensor) -> Any:
    """The numbers of a tensor, float32."""
    return values.detach().float().cpu().numpy()
