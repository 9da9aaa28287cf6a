"""The last steps of an SSD for all classes at once.

torchvision's SSD picks, sorts and joins the boxes of every class on their own: ninety classes are
a thousand small operations, half of the time of a small network. Greedy non-maximum suppression
only ever depends on better boxes, so the best candidates of all classes alone say which boxes
survive among them; usually they are enough for the output.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchvision.models.detection.ssd import SSD
from torchvision.ops import clip_boxes_to_image, nms

if TYPE_CHECKING:
    from torch import nn

CANDIDATES = (1000, 2000, 4000)
"""Of all classes, tried one after the other; with more, taking classes one by one is faster."""

_Answer = dict[str, Tensor]


def best_boxes_of(module: nn.Module) -> None:
    """Changes an SSD whose last steps are torchvision's; other modules stay as they are."""
    if (
        isinstance(module, SSD)
        and type(module).postprocess_detections is SSD.postprocess_detections
    ):
        module.postprocess_detections = MethodType(postprocess_detections, module)


def postprocess_detections(
    ssd: SSD,
    head_outputs: dict[str, Tensor],
    image_anchors: list[Tensor],
    image_shapes: list[tuple[int, int]],
) -> list[_Answer]:
    probabilities = head_outputs["cls_logits"].softmax(-1)
    answers = []
    for at, (anchors, shape) in enumerate(zip(image_anchors, image_shapes, strict=True)):
        coded = head_outputs["bbox_regression"][at]
        boxes = clip_boxes_to_image(ssd.box_coder.decode_single(coded, anchors), shape)
        answer = best_boxes(
            boxes, probabilities[at],
            score_thresh=ssd.score_thresh, nms_thresh=ssd.nms_thresh,
            per_class=ssd.topk_candidates, most=ssd.detections_per_img,
        )  # fmt: skip
        if answer is None:
            one = {name: value[at : at + 1] for name, value in head_outputs.items()}
            (answer,) = SSD.postprocess_detections(ssd, one, [anchors], [shape])
        answers.append(answer)
    return answers


def best_boxes(
    boxes: Tensor,
    scores: Tensor,
    *,
    score_thresh: float,
    nms_thresh: float,
    per_class: int,
    most: int,
) -> _Answer | None:
    """The boxes that survive, as `SSD.postprocess_detections` finds them; ties aside.

    Args:
        boxes: (N, 4) decoded and clipped, xyxy.
        scores: (N, K + 1) of the classes, the background first.
        score_thresh: Candidates are above it.
        nms_thresh: Boxes of one class that overlap a better one by more are dropped.
        per_class: How many candidates of every class are used.
        most: How many survivors are needed.

    Returns:
        `boxes` (M, 4), `scores` (M,) and `labels` (M,), the best first; None when the best
        `CANDIDATES` do not settle it.
    """
    classes = scores.shape[1] - 1
    flat = scores[:, 1:].reshape(-1)
    passing = int((flat > score_thresh).sum())
    for count in CANDIDATES:
        best, where = flat.topk(min(count, passing))
        labels = where % classes
        allowed = _ranks(labels) < per_class
        best, where, labels = best[allowed], where[allowed], labels[allowed] + 1
        found = boxes[torch.div(where, classes, rounding_mode="floor")]
        # Boxes of different classes are moved apart, so that they never overlap; so far that half
        # precision would round them together.
        apart = labels[:, None] * (boxes.max().float() + 1)
        kept = nms(found.float() + apart, best.float(), nms_thresh)[:most]
        if len(kept) == most or passing <= count:
            return {"boxes": found[kept], "scores": best[kept], "labels": labels[kept]}
    return None


def _ranks(labels: Tensor) -> Tensor:
    """How many equal labels come before each one."""
    runs, order = labels.sort(stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(labels), device=labels.device) - torch.searchsorted(runs, runs)
    return ranks
