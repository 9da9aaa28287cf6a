"""A detector on a resized or mirrored photo, its boxes moved back into the photo."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional as F
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from explorer.core.errors import ExplorerError
from explorer.networks.preprocess import Frame
from explorer.vision.detection.detections import Detections, detections_of
from explorer.vision.detection.roi_head import run_heads
from explorer.vision.refinement.voting import joined
from explorer.vision.trace import TwoStage, traced
from explorer.vision.trace.answers import own_suppression

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.networks.network import Network
    from explorer.vision.trace import Trace
    from explorer.vision.trace.parts import Nms

    Float32 = NDArray[np.float32]

STEP = 32
"""A fixed input size stays a multiple of this: the largest stride of the networks that have one."""


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One forward pass of a detector; all boxes are in pixels of the photo.

    Attributes:
        found: The network's own detections.
        candidates: What goes into its suppression; of a detector that cannot be followed, the
            detections.
        nms: The IoU above which one of two boxes of a class is suppressed; None = not known.
        most: The largest number of detections; None = not known.
        again: What another regression of the boxes of the pass before adds, round by round.
        size: Height and width of the input of the backbone, without padding.
    """

    found: Detections
    candidates: Detections
    nms: float | None
    most: int | None
    again: tuple[Detections, ...]
    size: tuple[int, int]


@torch.no_grad()
def run_pass(
    network: Network,
    pixels: NDArray[np.uint8],
    *,
    scale: float = 1.0,
    flip: bool = False,
    rounds: int = 0,
) -> Pass:
    """Runs a detector on the photo at another size, or on its mirror image.

    Args:
        network: Any detector; it is not changed.
        pixels: (H, W, 3) uint8 RGB.
        scale: Of the size to which the network resizes a photo by itself.
        flip: Left and right are exchanged, and those of the boxes afterwards.
        rounds: How often the boxes are regressed again (see `regressed_again`); 0 for a network
            without a second stage.
    """
    height, width = pixels.shape[:2]
    shown = np.ascontiguousarray(pixels[:, ::-1]) if flip else pixels
    frame = network.preprocess.frame(height, width)
    values = network.preprocess(shown).to(network.device, network.dtype)
    module, values, frame = resized(network.module, values, frame, scale)
    images = values if network.preprocess.batched else [values[0]]
    size = (int(values.shape[-2]), int(values.shape[-1]))
    again: tuple[Detections, ...] = ()
    limits: tuple[float | None, int | None] = (None, None)
    trace = _followed(module, values[0], frame)
    if trace is not None:
        found = detections_of(trace.output, frame, size)
        nms, inner, size = trace.filter.nms, trace.pyramid.frame, trace.pyramid.size
        candidates, limits = _candidates(nms, inner), (nms.threshold, nms.most)
        if rounds and isinstance(trace, TwoStage):
            again = _rounds(module, trace, rounds)
    else:
        found = detections_of(module(images), frame, size)
        own = own_suppression(module, images, frame)
        candidates = _boxes_only(found)
        if own is not None:
            candidates, limits = _candidates(own[1], own[0]), (own[1].threshold, own[1].most)
    ran = Pass(found, candidates, *limits, again, size)
    return _mirrored(ran, float(width)) if flip else ran


def resized(
    module: nn.Module, values: Tensor, frame: Frame, scale: float
) -> tuple[nn.Module, Tensor, Frame]:
    """A detector and its input, so that the photo is `scale` times as large for the backbone.

    torchvision's detectors resize by themselves: of those a shallow copy with another transform is
    given, which shares all weights. For any other one the input is resized.

    Args:
        module: The detector.
        values: (1, C, H, W), as it takes it.
        frame: From the photo to `values`.
        scale: Of the size that the network would use.

    Returns:
        The three of them for that size.
    """
    if scale == 1.0:
        return module, values, frame
    own = getattr(module, "transform", None)
    if not isinstance(own, GeneralizedRCNNTransform):
        height, width = values.shape[-2:]
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        larger = F.interpolate(values, size, mode="bilinear", antialias=True)
        return module, larger, frame.then(Frame(size[1] / width, size[0] / height))
    transform: Any = copy.copy(own)
    transform.min_size = tuple(max(1, round(side * scale)) for side in own.min_size)
    transform.max_size = max(1, round(own.max_size * scale))
    if own.fixed_size is not None:
        sides = (max(STEP, round(side * scale / STEP) * STEP) for side in own.fixed_size)
        transform.fixed_size = tuple(sides)
    other = copy.copy(module)
    # a dictionary of its own: the copy shares the parts, and the transform of the original stays
    other.__dict__["_modules"] = {**module._modules, "transform": transform}
    return other, values, frame


def regressed_again(
    module: nn.Module, trace: TwoStage, boxes: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The second stage once more, on boxes that it gave.

    He et al. 2016 (appendix B, "Box refinement"), after Gidaris and Komodakis 2015 (section 3): a
    feature is pooled from the regressed box, and gives a new score and a new box. Here those of the
    class of the box.

    Args:
        module: A two-stage detector.
        trace: Its own.
        boxes: (N, 4) in pixels of the transformed image.
        labels: (N,) int64, the class of each.

    Returns:
        New boxes, scores and labels of those that pass the network's own thresholds of score and
        size.
    """
    probabilities, moved = run_heads(module, trace, boxes)
    rows = torch.arange(len(labels), device=labels.device)
    scores, moved = probabilities[rows, labels], moved[rows, labels]
    sides = moved[:, 2:] - moved[:, :2]
    keep = (scores > trace.roi.threshold) & (sides >= trace.roi.smallest).all(1)
    return moved[keep], scores[keep], labels[keep]


def mirrored(boxes: Float32, width: float) -> Float32:
    """(N, 4) boxes of a picture of this width in its mirror image."""
    x0, y0, x1, y1 = boxes.T
    return np.stack([width - x1, y0, width - x0, y1], axis=1).astype(np.float32)


def _followed(module: nn.Module, image: Tensor, frame: Frame) -> Trace | None:
    try:
        return traced(module, image, frame)
    except ExplorerError:  # it has stages of its own
        return None


def _rounds(module: nn.Module, trace: TwoStage, rounds: int) -> tuple[Detections, ...]:
    nms, back = trace.filter.nms, trace.pyramid.frame.inverse()
    boxes, labels = nms.boxes, nms.groups
    found = []
    for _ in range(rounds):
        boxes, scores, labels = regressed_again(module, trace, boxes, labels)
        found.append(_as_detections(boxes, labels, scores, back))
    return tuple(found)


def _candidates(nms: Nms, frame: Frame) -> Detections:
    return _as_detections(nms.boxes, nms.groups, nms.scores, frame.inverse())


def _as_detections(boxes: Tensor, labels: Tensor, scores: Tensor, back: Frame) -> Detections:
    found = Detections(
        back.boxes(boxes.float().cpu().numpy()),
        labels.cpu().numpy().astype(np.int64),
        scores.float().cpu().numpy(),
    )
    return joined([found])


def _boxes_only(found: Detections) -> Detections:
    return Detections(found.xyxy, found.labels, found.scores)


def _mirrored(ran: Pass, width: float) -> Pass:
    def back(found: Detections) -> Detections:
        return Detections(mirrored(found.xyxy, width), found.labels, found.scores)

    return Pass(
        back(ran.found), back(ran.candidates), ran.nms, ran.most,
        tuple(back(each) for each in ran.again), ran.size,
    )  # fmt: skip
