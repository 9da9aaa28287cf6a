"""Detectors that agree on their proposals: the union of them, classified by every head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.vision.detection.detections import Detections
from explorer.vision.detection.roi_head import run_heads
from explorer.vision.refinement.voting import joined
from explorer.vision.trace import TwoStage, traced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.networks.network import Network

    Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A two-stage detector of an ensemble.

    Attributes:
        network: The detector.
        labels: (K,) int64: its own class for each of the K classes of the first one; -1 = none.
    """

    network: Network
    labels: NDArray[np.int64]


@torch.no_grad()
def over_shared_proposals(members: Sequence[Member], pixels: NDArray[np.uint8]) -> Detections:
    """The union of all proposals, each classified and regressed by every member; before NMS.

    He et al. 2016 (appendix B, "Ensemble"): the union set of proposals is processed by an ensemble
    of the classifiers of regions. Scores and boxes of a class are the means over the members that
    have it.

    Args:
        members: The first one's classes count, and its thresholds of score and size.
        pixels: (H, W, 3) uint8 RGB.

    Returns:
        Boxes in pixels of the photo, with the labels of the first member.
    """
    traces = [_trace(member.network, pixels) for member in members]
    regions = np.concatenate(
        [t.pyramid.frame.inverse().boxes(t.rpn.proposals.float().cpu().numpy()) for t in traces]
    )
    classes = len(members[0].labels)
    scores = np.zeros((len(regions), classes))
    boxes = np.zeros((len(regions), classes, 4))
    counts = np.zeros(classes)
    for member, trace in zip(members, traces, strict=True):
        own, moved = _on_regions(member.network, trace, regions)
        known = np.flatnonzero(member.labels >= 0)
        scores[:, known] += own[:, member.labels[known]]
        boxes[:, known] += moved[:, member.labels[known]]
        counts[known] += 1
    scores, boxes = scores / counts.clip(1), boxes / counts.clip(1)[:, None]
    first = traces[0].roi
    keep = scores > first.threshold
    keep[:, 0] = False  # the background
    keep &= (boxes[..., 2:] - boxes[..., :2] >= first.smallest).all(-1)
    rows, labels = np.nonzero(keep)
    return joined(
        [
            Detections(
                boxes[rows, labels].astype(np.float32), labels.astype(np.int64),
                scores[rows, labels].astype(np.float32),
            )
        ]
    )  # fmt: skip


def _trace(network: Network, pixels: NDArray[np.uint8]) -> TwoStage:
    values = network.preprocess(pixels).to(network.device, network.dtype)
    found = traced(network.module, values[0], network.preprocess.frame(*pixels.shape[:2]))
    assert isinstance(found, TwoStage), "members have proposals"
    return found


def _on_regions(network: Network, trace: TwoStage, regions: Float32) -> tuple[Float32, Float32]:
    """(P, K) probabilities and (P, K, 4) boxes in pixels of the photo."""
    frame, like = trace.pyramid.frame, trace.rpn.proposals
    inside = torch.from_numpy(frame.boxes(regions)).to(like.device, like.dtype)
    probabilities, moved = run_heads(network.module, trace, inside)
    plain = moved.float().cpu().numpy()
    back = frame.inverse().boxes(plain.reshape(-1, 4)).reshape(plain.shape)
    return probabilities.float().cpu().numpy(), back
