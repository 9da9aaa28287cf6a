"""The keypoint branch of a detector's second stage: its pooling and its layers, one by one.

``trace = traced(keypointrcnn_resnet50_fpn().eval(), image)`` (`explorer.vision.trace`) once, then
``region_of(model, trace, 0)`` is where the branch cuts its first detection out, and
``branch_maps(model, trace, 0, ["roi_heads.keypoint_head.0"])`` what a layer of it made of that cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.networks.hooks import captured
from explorer.vision.detection.roi import roi_align
from explorer.vision.detection.roi_head import pooled_maps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.vision.detection.roi import Pooled
    from explorer.vision.trace import TwoStage

    Float32 = NDArray[np.float32]

PARTS = ("roi_heads.keypoint_head.", "roi_heads.keypoint_predictor.")
"""How the names of the branch's layers begin."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Where RoIAlign cuts one detection out of the pyramid.

    Attributes:
        name: Of the feature map.
        values: (C, H, W) float32, that map.
        scale: Its cells per pixel of the network's transformed image.
        box: (4,) float32 in those pixels.
        size: Rows and columns of the grid.
        sampling: Samples per bin along each axis; 0 = as many as it has cells.
        aligned: Half a cell is subtracted.
    """

    name: str
    values: Float32
    scale: float
    box: Float32
    size: tuple[int, int]
    sampling: int
    aligned: bool

    def pooled(self, channel: int | None = None) -> Pooled:
        """The grid over one channel, or over the mean of all; bins and samples are in cells."""
        values = self.values.mean(axis=0) if channel is None else self.values[channel]
        return roi_align(
            values[None], self.box * np.float32(self.scale), self.size,
            sampling=self.sampling, aligned=self.aligned,
        )  # fmt: skip


def layers_of(names: Sequence[str]) -> tuple[str, ...]:
    """Those of a detector's layers that belong to the branch, in the order of `names`."""
    return tuple(name for name in names if name.startswith(PARTS))


def region_of(module: nn.Module, trace: TwoStage, row: int) -> Region:
    """Where the branch cuts detection `row` of the trace out.

    Args:
        module: The detector of the trace, with a keypoint branch.
        trace: Its own, with at least `row` + 1 detections.
        row: The detection, highest score first.
    """
    heads: Any = module.roi_heads
    maps = pooled_maps(trace, heads.keypoint_roi_pool)
    box: Float32 = _boxes(trace)[row].float().cpu().numpy()
    number, _ = maps.level(box)
    assert maps.size is not None
    return Region(
        maps.names[number], maps.values[number], maps.scales[number][0], box, maps.size,
        maps.sampling, maps.aligned,
    )  # fmt: skip


@torch.no_grad()
def pooled_regions(module: nn.Module, trace: TwoStage) -> Tensor:
    """(M, C, h, w): what the branch cuts out for all M detections of the trace."""
    return _pooled(module, trace, _boxes(trace))


@torch.no_grad()
def branch_maps(
    module: nn.Module, trace: TwoStage, row: int, layers: Sequence[str]
) -> tuple[dict[str, Tensor], Tensor]:
    """What layers of the branch made of detection `row`, and the branch's output.

    All detections go through it together, as in the network: alone, one of them would have the
    same values only up to rounding.

    Args:
        module: The detector of the trace.
        trace: Its own.
        row: The detection.
        layers: Dotted names within the detector.

    Returns:
        By name (C, h, w), and (M, K, h, w) of all detections.

    Raises:
        ExplorerError: The detector has no such layer.
    """
    with captured(module, layers, convert=lambda maps: maps[row].detach().clone()) as records:
        output = run_branch(module, trace, _boxes(trace))
    return {name: found[0] for name, found in records.items()}, output


@torch.no_grad()
def run_branch(module: nn.Module, trace: TwoStage, boxes: Tensor) -> Tensor:
    """The heat maps for boxes of one's own: (M, 4) of the transformed image -> (M, K, h, w)."""
    heads: Any = module.roi_heads
    output: Tensor = heads.keypoint_predictor(heads.keypoint_head(_pooled(module, trace, boxes)))
    return output


def _pooled(module: nn.Module, trace: TwoStage, boxes: Tensor) -> Tensor:
    heads: Any = module.roi_heads
    crops: Tensor = heads.keypoint_roi_pool(trace.pyramid.features, [boxes], [trace.pyramid.size])
    return crops


def _boxes(trace: TwoStage) -> Tensor:
    """(M, 4) of the detections in pixels of the transformed image, before they are moved back."""
    nms = trace.roi.filter.nms
    return nms.boxes[nms.top]
