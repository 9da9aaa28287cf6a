"""Skeletons over a photo: keypoints with the limbs between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Layer, Lines, Points, class_colors
from explorer.vision.detection.limbs import limbs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32


def skeletons(
    places: Float32,
    names: Sequence[str],
    *,
    shown: NDArray[np.bool_] | None = None,
    labeled: int | None = None,
    radius: float = 3.0,
    width: float = 2.5,
) -> list[Layer]:
    """The layers "limbs" and "keypoints" of some people or faces.

    Args:
        places: (N, K, 2) float32 in the pane's frame.
        names: Of the K keypoints: they tell the limbs.
        shown: (N, K), the keypoints that are drawn; a limb needs both of its ends.
        labeled: The row whose keypoints have their names beside them.
        radius: Of a keypoint, in screen pixels.
        width: Of a limb, in screen pixels.
    """
    n, count = places.shape[:2]
    shown = np.ones((n, count), bool) if shown is None else shown
    tints = class_colors(count)
    owners, kinds = np.nonzero(shown)
    labels: tuple[str, ...] = ()
    if labeled is not None:
        words = [name.replace("_", " ") for name in names]
        labels = tuple(
            words[kind] if owner == labeled else ""
            for owner, kind in zip(owners.tolist(), kinds.tolist(), strict=True)
        )
    points = Points(places[owners, kinds], tints[kinds], radius, labels, "keypoints")
    ends = limbs(names)
    if not len(ends):
        return [points]
    drawn = shown[:, ends[:, 0]] & shown[:, ends[:, 1]]
    segments = np.concatenate([places[:, ends[:, 0]], places[:, ends[:, 1]]], axis=2)[drawn]
    colors = np.broadcast_to(tints[ends[:, 0]][None], (n, len(ends), 3))[drawn]
    return [Lines(segments, colors, width=width, name="limbs"), points]
