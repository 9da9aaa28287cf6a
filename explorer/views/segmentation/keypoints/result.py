"""What the view computes: the people of a photo, and one of them opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.detection.keypoints import (
    box_pixels,
    located,
    maxima,
    resized,
    softmax_maps,
)
from explorer.vision.trace.keypoint_branch import branch_maps, pooled_regions, region_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.core.layers import Float32, Picture
    from explorer.networks.preprocess import Frame
    from explorer.vision.detection.detections import Detections
    from explorer.vision.trace import TwoStage
    from explorer.vision.trace.keypoint_branch import Region

ROI_ALIGN = "RoIAlign"
"""The stage before the branch's layers."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """One person, stage by stage; "input" is the network's transformed image.

    Attributes:
        row: Which of the detections.
        region: Where RoIAlign cuts the person out.
        frame: From the photo's pixels to the input's.
        stage: Name of the stage whose maps are kept.
        maps: (C, h, w) float32 of that stage.
        logits: (K, 56, 56) float32, the branch's output.
        shares: (K, 56, 56) float32, their softmax.
        peaks: (K, 2) row and column of the largest logit.
        joint: The keypoint that `values` is about.
        values: (H, W) float32, its map resized to the box.
        pixels: (K, 2) row and column of the largest value of every resized map.
        places: (K, 2) float32 x, y in pixels of the input.
        scores: (K,) float32.
    """

    row: int
    region: Region
    frame: Frame
    stage: str
    maps: Float32
    logits: Float32
    shares: Float32
    peaks: NDArray[np.int64]
    joint: int
    values: Float32
    pixels: NDArray[np.int64]
    places: Float32
    scores: Float32

    @property
    def box(self) -> Float32:
        """(4,) in the photo's pixels."""
        found: Float32 = self.frame.inverse().boxes(self.region.box[None])[0]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`names` of the keypoints; `person` is None where nobody was detected."""

    photo: Picture
    found: Detections
    names: tuple[str, ...]
    least: float
    person: Opened | None
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))

    @property
    def points(self) -> Float32:
        """(N, K, 3) of all detections."""
        assert self.found.keypoints is not None
        return self.found.keypoints

    @property
    def scores(self) -> Float32:
        """(N, K) of all detections."""
        assert self.found.keypoint_scores is not None
        return self.found.keypoint_scores


def opened(module: nn.Module, trace: TwoStage, row: int, joint: int | None, stage: str) -> Opened:
    """Detection `row` of a detector's trace, with the maps of `stage`.

    Args:
        module: The detector.
        trace: Its own, with heat maps for at least `row` + 1 detections.
        row: Highest score first.
        joint: The keypoint whose resized map is kept; None = that with the highest score.
        stage: `ROI_ALIGN` or a layer of the branch.
    """
    heat = trace.roi.keypoints
    assert heat is not None
    region = region_of(module, trace, row)
    nms = trace.roi.filter.nms
    box = nms.boxes[nms.top][row]
    if stage == ROI_ALIGN:
        maps = pooled_regions(module, trace)[row]
    else:
        layers, _ = branch_maps(module, trace, row, [stage])
        maps = layers[stage]
    found = located(heat[row], box)
    logits = _plain(heat[row])
    chosen = int(found.scores.argmax()) if joint is None else min(max(joint, 0), len(logits) - 1)
    values = resized(heat[row][chosen : chosen + 1], box)[0]
    assert tuple(values.shape) == box_pixels(box)
    return Opened(
        row, region, trace.pyramid.frame, stage, _plain(maps), logits, softmax_maps(logits),
        maxima(logits), chosen, _plain(values), found.pixels.cpu().numpy(), _plain(found.places),
        _plain(found.scores),
    )  # fmt: skip


def _plain(values: Tensor) -> Float32:
    array: Float32 = values.detach().float().cpu().numpy()
    return array
