"""The filters of a detector with other limits, on what its trace has already computed.

Nothing of the network runs again but the second stage, and that only on anchors that it has not
had yet. A limit is tried in milliseconds that way; `explorer.vision.trace.again` runs the heads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torchvision.ops import clip_boxes_to_image

from explorer.vision.trace import TwoStage, one_stage, two_stage

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.vision.trace import OneStage, Trace
    from explorer.vision.trace.parts import Filter

Detected = tuple["Tensor", "Tensor", "Tensor"]
"""Boxes (M, 4) in pixels of the transformed image, scores (M,) and labels (M,), best first."""


class Replay:
    """Filters with the limits that the module has when they are asked for.

    Args:
        module: The detector of the trace.
        trace: Its own.
    """

    def __init__(self, module: Any, trace: Trace) -> None:
        self._module, self._trace = module, trace
        self._counts = [level.count for level in trace.pyramid.levels]
        self._passed: dict[tuple[float, ...], Tensor] = {}
        if isinstance(trace, TwoStage):
            anchors = trace.rpn.proposal_anchors
            self._rows = torch.full((len(trace.rpn.decoded),), -1, device=anchors.device)
            self._rows[anchors] = torch.arange(len(anchors), device=anchors.device)
            self._probabilities, self._boxes = trace.roi.probabilities, trace.roi.boxes

    def detections(self) -> Detected:
        """What comes out of the last filter."""
        if isinstance(self._trace, TwoStage):
            own = self._second(self._trace)
        else:
            own = self._only(self._trace)
        return own.nms.boxes[own.nms.top], own.nms.scores[own.nms.top], own.nms.groups[own.nms.top]

    def refined(self, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """What the second stage makes of anchors, whether or not the RPN passes them.

        Args:
            anchors: (n,) int64.

        Returns:
            Probabilities (n, K) and boxes (n, K, 4), clipped.
        """
        assert isinstance(self._trace, TwoStage), "there is a second stage"
        new = anchors[self._rows[anchors] < 0]
        if len(new):
            rows = torch.arange(len(new), device=new.device)
            self._rows[new] = rows + len(self._probabilities)
            probabilities, boxes = self._run(self._trace, new)
            self._probabilities = torch.cat([self._probabilities, probabilities])
            self._boxes = torch.cat([self._boxes, boxes])
        rows = self._rows[anchors]
        return self._probabilities[rows], self._boxes[rows]

    def _run(self, trace: TwoStage, anchors: Tensor) -> tuple[Tensor, Tensor]:
        heads, size = self._module.roi_heads, trace.pyramid.size
        proposals = trace.rpn.clipped[anchors]
        pooled = heads.box_roi_pool(trace.pyramid.features, [proposals], [size])
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        decoded = heads.box_coder.decode(deltas, [proposals]).reshape(*logits.shape, 4)
        return logits.softmax(-1), clip_boxes_to_image(decoded, size)

    def _second(self, trace: TwoStage) -> Filter:
        rpn = self._module.rpn
        limits = (rpn.pre_nms_top_n(), rpn.post_nms_top_n(), rpn.nms_thresh, rpn.score_thresh)
        if limits not in self._passed:
            self._passed[limits] = two_stage.filter_anchors(
                rpn, trace.rpn.objectness, trace.rpn.decoded, self._counts, trace.pyramid.size
            ).survivors
        return two_stage.filter_pairs(self._module.roi_heads, *self.refined(self._passed[limits]))

    def _only(self, trace: OneStage) -> Filter:
        return one_stage.filter_pairs(
            trace.kind, self._module, trace.logits, trace.deltas, trace.centerness,
            trace.pyramid.anchors, self._counts, trace.pyramid.size,
        )  # fmt: skip
