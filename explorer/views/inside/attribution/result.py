"""What the view computes: plain values, one map for each method, and what they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32, Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.vision.detection.detections import Detections


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is explained.

    Attributes:
        kind: A word of `params.kinds`.
        name: In words, without its number: "dog", "channel 3 of layer4, row 2, column 5".
        number: Its probability, score or activation.
        box: (4,) float32 in pixels of the photo that outlines it, or None.
        mask: (H, W) int32 over `extent`, 0 inside and -1 outside, or None.
        extent: Of the network's input on the photo.
        selected: The row of the detection.
        note: What must be said about it.
    """

    kind: str
    name: str
    number: float | None
    extent: Extent
    box: Float32 | None = None
    mask: NDArray[np.int32] | None = None
    selected: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """What one method gave, complete or on its way.

    Attributes:
        method: A word of `params.METHODS`.
        values: (h, w) float32 over `extent` of the photo, NaN = not known yet; None = it failed, or
            has not begun.
        extent: See `values`.
        done: Passes so far.
        total: Passes in all; 0 = it has not begun.
        note: What has to be known to read it, or why it failed.
        layer: Of a CAM.
        gap: Of integrated gradients: what the sum lacks, in parts of what it should be.
        cache: What was drawn of it; it is the same for as long as the map is.
    """

    method: str
    values: Float32 | None = None
    extent: Extent = (0.0, 0.0, 1.0, 1.0)
    done: int = 0
    total: int = 0
    note: str = ""
    layer: str = ""
    gap: float | None = None
    cache: DrawCache = field(default_factory=DrawCache)

    @property
    def failed(self) -> bool:
        return self.values is None and bool(self.note)

    @property
    def mean(self) -> float:
        """The mean magnitude of what is known."""
        assert self.values is not None
        known = np.abs(self.values[np.isfinite(self.values)])
        return float(known.mean()) if known.size else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A step.

    Attributes:
        photo: The photo.
        backdrop: The same in dark gray, for maps to lie on.
        info: The network.
        subject: What is explained.
        maps: One for each method, in their order.
        detections: Of a detector, the boxes to choose from.
        curves: Confidences over the part of the pixels, by measure and method.
        left_out: Methods that were chosen but do not follow a camera.
    """

    photo: Picture
    backdrop: Picture
    info: NetworkInfo
    subject: Subject
    maps: tuple[Map, ...]
    detections: Detections | None = None
    curves: Mapping[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)
