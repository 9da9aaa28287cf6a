"""The trace of a one-shot detector: SSD, RetinaNet (Lin et al. 2017), FCOS (Tian et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import batched_nms, clip_boxes_to_image

from explorer.vision.trace.parts import Filter, Nms, Pyramid, Stage
from explorer.vision.trace.two_stage import features_of, pyramid_of

if TYPE_CHECKING:
    from collections import OrderedDict

    from torchvision.models.detection.image_list import ImageList

    from explorer.networks.preprocess import Frame

Kind = Literal["retinanet", "fcos", "ssd"]


@dataclass(frozen=True, eq=False)
class OneStage:
    """Every stage of one forward pass; its candidates are pairs: id = anchor x classes + class.

    Attributes:
        kind: Which formulas hold.
        pyramid: The input and its maps. A point of FCOS is the center of a square, one stride wide.
        logits: (N, K).
        deltas: (N, 4): tx, ty, tw, th, or FCOS's distances left, top, right, bottom in strides.
        centerness: (N,) logits of FCOS, else None.
        threshold: A pair needs a higher score to be kept.
        pre_nms: How many pairs of each level (SSD: of each class) go into the suppression.
        coder: torchvision's box coder.
        filter: Stages "min_score", "top_k", "nms", "top_n"; groups are classes.
        output: The module's output, bit for bit.
    """

    kind: Kind
    pyramid: Pyramid
    logits: Tensor
    deltas: Tensor
    centerness: Tensor | None
    threshold: float
    pre_nms: int
    coder: Any
    filter: Filter
    output: list[dict[str, Tensor]]

    @property
    def classes(self) -> int:
        """K; class 0 is the background, which SSD scores too."""
        return self.logits.shape[1]

    @cached_property
    def scores(self) -> Tensor:
        """(N, K) in [0, 1], as the filter compares them."""
        return _scores(self.kind, self.logits, self.centerness)

    @cached_property
    def decoded(self) -> Tensor:
        """(N, 4), the anchors moved by their deltas, not clipped."""
        decode = self.coder.decode if self.kind == "fcos" else self.coder.decode_single
        boxes: Tensor = decode(self.deltas, self.pyramid.anchors)
        return boxes

    @cached_property
    def boxes(self) -> Tensor:
        """(N, 4), clipped."""
        boxes: Tensor = clip_boxes_to_image(self.decoded, self.pyramid.size)
        return boxes

    @property
    def detected(self) -> tuple[Tensor, Tensor]:
        """(M,) int64 each: anchor and class of every detection, highest scores first."""
        ids = self.filter.survivors
        return ids // self.classes, ids % self.classes


def trace_one_stage(kind: Kind, module: Any, image: Tensor, frame: Frame) -> OneStage:
    """Runs the module's parts one after the other; see `explorer.vision.trace.traced`."""
    images, features = features_of(module, image)
    return one_stage_from(kind, module, image, frame, images, features)


def one_stage_from(
    kind: Kind,
    module: Any,
    image: Tensor,
    frame: Frame,
    images: ImageList,
    features: OrderedDict[str, Tensor],
) -> OneStage:
    """The same from the backbone's maps on; see `explorer.vision.trace.again`."""
    maps = list(features.values())
    answers = module.head(maps)
    (anchors,) = module.anchor_generator(images, maps)
    logits, deltas = answers["cls_logits"][0], answers["bbox_regression"][0]
    centerness = answers["bbox_ctrness"][0, :, 0] if kind == "fcos" else None
    cells = [x.shape[-2] * x.shape[-1] for x in maps]
    per_cell = [len(logits) // sum(cells)] * len(cells)
    if kind == "ssd":
        per_cell = module.anchor_generator.num_anchors_per_location()
    counts = [n * k for n, k in zip(cells, per_cell, strict=True)]
    filtered = filter_pairs(
        kind, module, logits, deltas, centerness, anchors, counts, images.image_sizes[0]
    )
    nms = filtered.nms
    found = {
        "boxes": nms.boxes[nms.top], "scores": nms.scores[nms.top], "labels": nms.groups[nms.top]
    }  # fmt: skip
    original = [(int(image.shape[-2]), int(image.shape[-1]))]
    return OneStage(
        kind, pyramid_of(image, frame, images, features, per_cell, anchors), logits, deltas,
        centerness, module.score_thresh, module.topk_candidates, module.box_coder,
        filtered, module.transform.postprocess([found], images.image_sizes, original),
    )  # fmt: skip


def filter_pairs(
    kind: Kind,
    module: Any,
    logits: Tensor,
    deltas: Tensor,
    centerness: Tensor | None,
    anchors: Tensor,
    counts: list[int],
    size: tuple[int, int],
) -> Filter:
    """What passes with the limits that the module has now.

    Args:
        kind: Which formulas hold.
        module: The detector, for its limits and its box coder alone.
        logits: (N, K).
        deltas: (N, 4).
        centerness: (N,) logits of FCOS, else None.
        anchors: (N, 4), level after level.
        counts: Anchors of each level.
        size: Height and width that boxes are clipped to.
    """
    select = _of_each_class if kind == "ssd" else _of_each_level
    sure, top_k, boxes, scores = select(
        kind, module, logits, deltas, centerness, anchors, counts, size
    )
    labels = top_k % logits.shape[-1]
    kept = batched_nms(boxes, scores, labels, module.nms_thresh)
    nms = Nms(top_k, boxes, scores, labels, module.nms_thresh, kept, module.detections_per_img)
    stages = (
        Stage("min_score", sure), Stage("top_k", top_k), Stage("nms", top_k[kept]),
        Stage("top_n", top_k[nms.top]),
    )  # fmt: skip
    return Filter(logits.numel(), stages, nms)


def _scores(kind: Kind, logits: Tensor, centerness: Tensor | None) -> Tensor:
    if kind == "ssd":
        return F.softmax(logits, dim=-1)
    if centerness is None:
        return torch.sigmoid(logits)
    return torch.sqrt(torch.sigmoid(logits) * torch.sigmoid(centerness[:, None]))


Selected = tuple[Tensor, Tensor, Tensor, Tensor]
"""Ids above the threshold, ids of the best of them, and their boxes (clipped) and scores."""


def _of_each_level(
    kind: Kind,
    module: Any,
    logits: Tensor,
    deltas: Tensor,
    centerness: Tensor | None,
    anchors: Tensor,
    counts: list[int],
    size: tuple[int, int],
) -> Selected:
    classes = logits.shape[-1]
    decode = module.box_coder.decode if kind == "fcos" else module.box_coder.decode_single
    parts: list[Selected] = []
    first = 0
    for count in counts:
        level = slice(first, first + count)
        scores = _scores(
            kind, logits[level], None if centerness is None else centerness[level]
        ).flatten()
        passed = torch.where(scores > module.score_thresh)[0]
        scores, order = scores[passed].topk(min(len(passed), module.topk_candidates))
        best = passed[order]
        rows = torch.div(best, classes, rounding_mode="floor")
        boxes = clip_boxes_to_image(decode(deltas[level][rows], anchors[level][rows]), size)
        parts.append((passed + first * classes, best + first * classes, boxes, scores))
        first += count
    sure, top_k, boxes, scores = (torch.cat(column) for column in zip(*parts, strict=True))
    return sure, top_k, boxes, scores


def _of_each_class(
    kind: Kind,
    module: Any,
    logits: Tensor,
    deltas: Tensor,
    centerness: Tensor | None,
    anchors: Tensor,
    counts: list[int],
    size: tuple[int, int],
) -> Selected:
    classes = logits.shape[-1]
    all_scores = _scores(kind, logits, centerness)
    all_boxes = clip_boxes_to_image(module.box_coder.decode_single(deltas, anchors), size)
    parts: list[Selected] = []
    for label in range(1, classes):  # 0 is the background
        passed = torch.where(all_scores[:, label] > module.score_thresh)[0]
        scores, order = all_scores[passed, label].topk(min(len(passed), module.topk_candidates))
        rows = passed[order]
        parts.append((passed * classes + label, rows * classes + label, all_boxes[rows], scores))
    sure, top_k, boxes, scores = (torch.cat(column) for column in zip(*parts, strict=True))
    return sure, top_k, boxes, scores
