"""The maps that boxes are cut from, and a detector's second stage run on any box.

``trace = traced(fasterrcnn_resnet50_fpn().eval(), image)`` (`explorer.vision.trace`) once, then
``pooled_maps(trace)`` are its maps and ``run_head(model, trace, box)`` is the head's output for a
box of one's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F
from torchvision.ops import MultiScaleRoIAlign, clip_boxes_to_image

from explorer.core.errors import ExplorerError
from explorer.vision.detection.detections import Detections
from explorer.vision.detection.roi import CANONICAL_LEVEL, CANONICAL_SIDE, fpn_level
from explorer.vision.trace import TwoStage

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.networks.preprocess import Frame
    from explorer.vision.features.activations import Activation
    from explorer.vision.trace import Trace

    Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class RoiMaps:
    """One or several feature maps over a photo.

    Attributes:
        frame: From the photo's pixels to those of the network's input, where scales count.
        names: Of the maps, the finest first.
        values: (C, H, W) float32 each.
        scales: Cells per pixel of the input, (x, y), of each map.
        levels: The lowest and highest pyramid level (log2 of the strides), None without a pyramid.
        size: Rows and columns that the network's own pooling gives; None where it has none.
        sampling: Its sampling ratio.
        aligned: It takes half a cell off.
        proposals: (P, 4) float32 in the photo's pixels, the best first.
        scores: (P,) objectness in [0, 1].
        canonical: The side of a box in pixels and the level that it comes from; the others follow
            from it (Lin et al. 2017, equation 1).
    """

    frame: Frame
    names: tuple[str, ...]
    values: tuple[Float32, ...]
    scales: tuple[tuple[float, float], ...]
    levels: tuple[int, int] | None
    size: tuple[int, int] | None
    sampling: int
    aligned: bool
    proposals: Float32
    scores: Float32
    canonical: tuple[float, float] = (CANONICAL_SIDE, CANONICAL_LEVEL)

    def level(self, box: Float32) -> tuple[int, float]:
        """Which map a (4,) box of the input is cut from, and its unrounded pyramid level."""
        if self.levels is None:
            return 0, 0.0
        level, exact = fpn_level(box, *self.levels, self.canonical)
        return level - self.levels[0], exact

    def cells(self, box: Float32, number: int) -> Float32:
        """A (4,) box of the input in cells of a map."""
        x, y = self.scales[number]
        found: Float32 = box * np.array([x, y, x, y], np.float32)
        return found


@torch.no_grad()
def pooled_maps(trace: Trace, pool: nn.Module | None = None) -> RoiMaps:
    """The maps that the second stage of a detector cuts its proposals from.

    Args:
        trace: Of the detector.
        pool: Of another of its heads, such as that of the masks; by default of the box head.

    Raises:
        ExplorerError: When it is no two-stage detector of torchvision's kind.
    """
    trace = _two_stage(trace)
    pool_: Any = trace.roi.pool if pool is None else pool
    frame, features = trace.pyramid.frame, trace.pyramid.features
    names = tuple(name for name in features if name in pool_.featmap_names)
    values = tuple(_plain(features[name][0]) for name in names)
    scales = tuple((float(scale), float(scale)) for scale in pool_.scales)
    strides = [round(-log2(scale)) for scale in pool_.scales]
    size = (int(pool_.output_size[0]), int(pool_.output_size[1]))
    return RoiMaps(
        frame, names, values, scales, (strides[0], strides[-1]) if len(names) > 1 else None,
        size, int(pool_.sampling_ratio), bool(getattr(pool_, "aligned", False)),
        frame.inverse().boxes(_plain(trace.rpn.proposals)),
        _plain(trace.rpn.scores[trace.rpn.proposal_anchors]),
        (float(pool_.canonical_scale), float(pool_.canonical_level)),
    )  # fmt: skip


def layer_maps(answer: Activation, layer: str, frame: Frame) -> RoiMaps:
    """The output of any layer, as one map.

    Args:
        answer: What it gave.
        layer: Its name.
        frame: From the photo's pixels to those of the network's input.

    Raises:
        ExplorerError: When its cells are no places of the photo.
    """
    if answer.frame is None:
        raise ExplorerError(
            f"The layer {layer!r} has no spatial positions.", "Choose a convolution."
        )
    scale = (answer.frame.sx / frame.sx, answer.frame.sy / frame.sy)
    nothing = np.zeros((0, 4), np.float32)
    return RoiMaps(
        frame, (layer,), (answer.values,), (scale,), None, None, 2, False,
        nothing, nothing[:, 0],
    )  # fmt: skip


def _two_stage(trace: Trace) -> TwoStage:
    pool = trace.roi.pool if isinstance(trace, TwoStage) else None
    if not isinstance(trace, TwoStage) or not isinstance(pool, MultiScaleRoIAlign):
        raise ExplorerError(
            "This network has no RoI pooling.",
            "Choose a layer, or a network of the R-CNN family.",
        )
    return trace


def _plain(values: Tensor) -> Float32:
    array: Float32 = values.detach().float().cpu().numpy()
    return array


@dataclass(frozen=True, slots=True, eq=False)
class HeadAnswer:
    """The outputs of the second stage for one box.

    Attributes:
        probabilities: (K,) float32, class 0 is the background.
        boxes: (K, 4) float32, the box refined for each class and clipped, in the photo's pixels.
    """

    probabilities: Float32
    boxes: Float32


@torch.no_grad()
def run_heads(module: nn.Module, trace: Trace, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The network's own pooling, head and predictor on any boxes, by the features of its trace.

    Args:
        module: A two-stage detector.
        trace: Its own.
        boxes: (N, 4) in pixels of the network's transformed image, as proposals are.

    Returns:
        (N, K) probabilities, class 0 is the background, and (N, K, 4) the boxes refined for each
        class and clipped, in pixels of the transformed image.

    Raises:
        ExplorerError: When the network is no two-stage detector of torchvision's kind.
    """
    trace = _two_stage(trace)
    heads: Any = module.roi_heads
    logits, deltas = _second_stage(heads, trace, boxes)
    decoded = clip_boxes_to_image(heads.box_coder.decode(deltas, [boxes]), trace.pyramid.size)
    return F.softmax(logits, -1), decoded.reshape(len(boxes), -1, 4)


def run_head(module: nn.Module, trace: Trace, box: Float32) -> HeadAnswer:
    """As `run_heads`, on one box.

    Args:
        module: A two-stage detector.
        trace: Its own.
        box: (4,) float32 in pixels of the network's transformed image, as a proposal is.

    Raises:
        ExplorerError: When the network is no two-stage detector of torchvision's kind.
    """
    rows = _rows(_two_stage(trace), np.array(box, np.float32)[None])
    probabilities, moved = run_heads(module, trace, rows)
    back = trace.pyramid.frame.inverse()
    return HeadAnswer(_plain(probabilities[0]), back.boxes(_plain(moved[0])))


@torch.no_grad()
def detect_on(module: nn.Module, trace: Trace, boxes: Float32) -> Detections:
    """Fast R-CNN (Girshick 2015): the network's second stage on boxes from elsewhere.

    Its pooling, head, thresholds and suppression are its own; its RPN has no part in it.

    Args:
        module: A two-stage detector.
        trace: Its own, for the feature maps.
        boxes: (N, 4) float32 in the photo's pixels.

    Raises:
        ExplorerError: When the network is no two-stage detector of torchvision's kind.
    """
    trace = _two_stage(trace)
    heads: Any = module.roi_heads
    frame, size = trace.pyramid.frame, trace.pyramid.size
    rows = _rows(trace, frame.boxes(boxes))
    logits, deltas = _second_stage(heads, trace, rows)
    found, scores, labels = heads.postprocess_detections(logits, deltas, [rows], [size])
    return Detections(
        frame.inverse().boxes(_plain(found[0])),
        labels[0].cpu().numpy().astype(np.int64),
        _plain(scores[0]),
    )


def _rows(trace: TwoStage, boxes: Float32) -> Tensor:
    """(N, 4) boxes of the transformed image as the network's own proposals are."""
    own = trace.rpn.proposals
    return torch.from_numpy(boxes).to(own.device, own.dtype)


def _second_stage(heads: Any, trace: TwoStage, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The logits and deltas of (N, 4) boxes of the transformed image."""
    crops = heads.box_roi_pool(trace.pyramid.features, [rows], [trace.pyramid.size])
    logits, deltas = heads.box_predictor(heads.box_head(crops))
    return logits, deltas
