"""Attacks on detectors: one box shall vanish, change its class, or appear where nothing is.

The loss is taken from the detector's own class scores for the candidates that overlap the box:
proposals of the R-CNN family, anchors of RetinaNet, SSD and FCOS. Whether an attack has succeeded
is read from the detections after NMS, as the network gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou

from explorer.core.errors import ExplorerError
from explorer.vision.adversarial.goals import Evaluation
from explorer.vision.trace import ONE_STAGE, OneStage, TwoStage, differentiable

if TYPE_CHECKING:
    from torch import nn

Mode = Literal["vanish", "change", "appear"]

SAME_PLACE = 0.5
"""A detection is at the place of the box from this IoU on."""
OVERLAPS = 0.4
"""A candidate counts from this IoU with the box on."""
NEAREST = 9
"""Of the anchors that overlap a new box most, when none overlaps it enough."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxGoal:
    """One box of a detector's output.

    "vanish": no detection of any class is left at the place; the candidates there shall be
    background. "change": a detection of class `label` is there, and none of class `before`.
    "appear": a detection of class `label` is there; the box itself is scored as one more proposal,
    and the RPN shall propose it.

    Attributes:
        module: A detector of torchvision's in eval mode.
        box: (4,) xyxy in pixels of the picture, y down.
        mode: See above.
        label: Index of the wanted class; None = any other one than `before` (the background does
            not count): the most probable one at each step.
        before: Index of the class that is there now; None for "appear".
        score: Detections with a lower score do not count.
    """

    module: nn.Module
    box: Tensor
    mode: Mode
    label: int | None = None
    before: int | None = None
    score: float = 0.5

    def __call__(self, picture: Tensor) -> Evaluation:
        """Evaluates (1, 3, H, W); `output` is the detector's own dict of detections.

        Raises:
            ExplorerError: The module is no detector whose stages can be followed.
        """
        dtype = next(self.module.parameters()).dtype
        trace = differentiable(self.module, picture[0].to(dtype))
        resized = trace.pyramid.frame
        scale = self.box.new_tensor((resized.sx, resized.sy, resized.sx, resized.sy))
        box = (self.box * scale)[None]
        if isinstance(trace, TwoStage):
            loss = self._two_stage(trace, box)
        else:
            loss = self._one_stage(trace, box)
        (found,) = trace.output
        found = {key: found[key].detach() for key in ("boxes", "labels", "scores")}
        return Evaluation(loss, self._reached(found), found)

    def _reached(self, found: dict[str, Tensor]) -> bool:
        overlap = box_iou(found["boxes"], self.box[None])[:, 0]
        there = (overlap >= SAME_PLACE) & (found["scores"] >= self.score)
        labels = found["labels"][there].tolist()
        if self.mode == "vanish":
            return not labels
        if self.label is None:
            return bool(labels) and self.before not in labels
        return self.label in labels and (self.mode == "appear" or self.before not in labels)

    def _two_stage(self, trace: TwoStage, box: Tensor) -> Tensor:
        roi = trace.roi
        rows = box_iou(roi.proposals, box)[:, 0] >= OVERLAPS
        logits = roi.logits[rows]
        if self.mode != "vanish":
            logits = torch.cat([logits, self._scored(trace, box)])
        label = 0 if self.mode == "vanish" else self._label(logits.detach().softmax(1))
        loss = _mean(F.cross_entropy(logits, _filled(logits, label), reduction="none"))
        if self.mode == "appear":
            near = _near(box_iou(trace.pyramid.anchors, box)[:, 0])
            objectness = trace.rpn.objectness[near]
            loss = loss + F.binary_cross_entropy_with_logits(
                objectness, torch.ones_like(objectness)
            )
        return loss

    def _scored(self, trace: TwoStage, box: Tensor) -> Tensor:
        """(1, K) logits of the second stage for the box itself."""
        heads: Any = self.module.roi_heads
        seen = trace.pyramid
        crops = heads.box_roi_pool(seen.features, [box.to(seen.image)], [seen.size])
        logits: Tensor = heads.box_predictor(heads.box_head(crops))[0]
        return logits

    def _one_stage(self, trace: OneStage, box: Tensor) -> Tensor:
        overlap = torch.maximum(
            box_iou(trace.pyramid.anchors, box)[:, 0], box_iou(trace.boxes.detach(), box)[:, 0]
        )
        near = _near(overlap) if self.mode == "appear" else overlap >= OVERLAPS
        logits = trace.logits[near]
        label = 0 if self.mode == "vanish" else self._label(trace.scores[near].detach())
        if trace.kind == "ssd":
            return _mean(F.cross_entropy(logits, _filled(logits, label), reduction="none"))
        wanted = torch.zeros_like(logits)
        if self.mode != "vanish":
            wanted[:, label] = 1.0
        parts = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(1)
        if trace.centerness is not None and self.mode == "appear":
            centers = trace.centerness[near]
            parts = parts + F.binary_cross_entropy_with_logits(
                centers, torch.ones_like(centers), reduction="none"
            )
        return _mean(parts)

    def _label(self, scores: Tensor) -> int:
        """The wanted class; where any will do, the nearest one: scores are (n, K)."""
        if self.label is not None:
            return self.label
        mean = scores.mean(0)
        mean[0] = -1.0
        if self.before is not None:
            mean[self.before] = -1.0
        return int(mean.argmax())


def can_be_attacked(module: nn.Module) -> bool:
    """Whether the module is of a family that `BoxGoal` can follow."""
    from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN

    return isinstance(module, (GeneralizedRCNN, *(family for family, _ in ONE_STAGE)))


def require_attackable(module: nn.Module) -> None:
    """Before a box is attacked.

    Raises:
        ExplorerError: The module's class scores cannot be assigned to boxes.
    """
    if not can_be_attacked(module):
        raise ExplorerError(
            f"{type(module).__name__} cannot be attacked: its class scores are not those of "
            "proposals or anchors of one of torchvision's detectors.",
            "Choose an R-CNN, RetinaNet, SSD or FCOS, or a classification network.",
        )


def _near(overlap: Tensor) -> Tensor:
    """(N,) bool: the anchors that overlap enough, or else those that overlap most."""
    near = overlap >= SAME_PLACE
    if not bool(near.any()):
        near[overlap.topk(min(NEAREST, len(overlap)))[1]] = True
    return near


def _filled(logits: Tensor, label: int) -> Tensor:
    return torch.full((len(logits),), label, dtype=torch.int64, device=logits.device)


def _mean(parts: Tensor) -> Tensor:
    """Their mean; 0 where there is none: no candidate overlaps the box any more."""
    return parts.sum() / max(len(parts), 1)


__all__ = ["BoxGoal", "Mode", "can_be_attacked", "require_attackable"]
