"""A branch of a detector's second stage opened: the masks' or keypoints' own pooling and layers.

``trace = traced(keypointrcnn_resnet50_fpn().eval(), image)`` (`explorer.vision.trace`) once, then
``region_of(model, trace, "keypoint", 0)`` is where the branch cuts its first detection out, and
``branch_maps(model, trace, "keypoint", 0, ["roi_heads.keypoint_head.0"])`` what a layer of it made
of that cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from explorer.networks.hooks import captured
from explorer.vision.detection.roi import roi_align

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.vision.detection.roi import Pooled
    from explorer.vision.trace import TwoStage

    Float32 = NDArray[np.float32]

Branch = Literal["mask", "keypoint"]


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


def layers_of(names: Sequence[str], branch: Branch) -> tuple[str, ...]:
    """Those of a detector's layers that belong to the branch, in the order of `names`."""
    parts = tuple(f"roi_heads.{branch}_{part}." for part in ("head", "predictor"))
    return tuple(name for name in names if name.startswith(parts))


@torch.no_grad()
def region_of(module: nn.Module, trace: TwoStage, branch: Branch, row: int) -> Region:
    """Where the branch cuts detection `row` of the trace out.

    Args:
        module: The detector of the trace, with that branch.
        trace: Its own, with at least `row` + 1 detections.
        branch: Which one.
        row: The detection, highest score first.
    """
    pool = _pool(module, branch)
    box = _boxes(trace)[row]
    names = [name for name in trace.pyramid.features if name in pool.featmap_names]
    number = int(pool.map_levels([box[None]])[0]) if len(names) > 1 else 0
    values = trace.pyramid.features[names[number]][0]
    return Region(
        names[number], _plain(values), float(pool.scales[number]), _plain(box),
        (int(pool.output_size[0]), int(pool.output_size[1])), int(pool.sampling_ratio),
        bool(getattr(pool, "aligned", False)),
    )  # fmt: skip


@torch.no_grad()
def pooled_regions(module: nn.Module, trace: TwoStage, branch: Branch) -> Tensor:
    """(M, C, h, w): what the branch cuts out for all M detections of the trace."""
    pool = _pool(module, branch)
    crops: Tensor = pool(trace.pyramid.features, [_boxes(trace)], [trace.pyramid.size])
    return crops


@torch.no_grad()
def branch_maps(
    module: nn.Module, trace: TwoStage, branch: Branch, row: int, layers: Sequence[str]
) -> tuple[dict[str, Tensor], Tensor]:
    """What layers of the branch made of detection `row`, and the branch's output.

    All detections go through it together, as in the network: alone, one of them would have the
    same values only up to rounding.

    Args:
        module: The detector of the trace.
        trace: Its own.
        branch: Which one.
        row: The detection.
        layers: Dotted names within the detector.

    Returns:
        By name (C, h, w), and (M, K, h, w) of all detections.

    Raises:
        ExplorerError: The detector has no such layer.
    """
    with captured(module, layers, convert=lambda maps: maps[row].detach().clone()) as records:
        output = run_branch(module, trace, branch, _boxes(trace))
    return {name: found[0] for name, found in records.items()}, output


@torch.no_grad()
def run_branch(module: nn.Module, trace: TwoStage, branch: Branch, boxes: Tensor) -> Tensor:
    """The branch on boxes of one's own: (M, 4) of the transformed image -> (M, K, h, w)."""
    heads: Any = module.roi_heads
    crops = _pool(module, branch)(trace.pyramid.features, [boxes], [trace.pyramid.size])
    inside = getattr(heads, f"{branch}_head")(crops)
    output: Tensor = getattr(heads, f"{branch}_predictor")(inside)
    return output


def _pool(module: nn.Module, branch: Branch) -> Any:
    return getattr(module.roi_heads, f"{branch}_roi_pool")


def _boxes(trace: TwoStage) -> Tensor:
    """(M, 4) of the detections in pixels of the transformed image, before they are moved back."""
    nms = trace.roi.filter.nms
    return nms.boxes[nms.top]


def _plain(values: Tensor) -> Float32:
    array: Float32 = values.detach().float().cpu().numpy()
    return array
