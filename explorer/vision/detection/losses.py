"""The training losses of one image, term by term, from a detector that stays as it is.

A copy of the module that shares its weights (and owns its buffers, so that batch norm counts
nothing) runs once in training mode; what it matched, sampled and summed up is recorded on the way.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.models.detection._utils import _box_loss
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import captured
from explorer.networks.preprocess import Frame
from explorer.vision.trace import ONE_STAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.vision.trace.one_stage import Kind

BACKGROUND, BETWEEN = -1, -2
"""Matches that are no truth: below the low threshold, and between both (takes no part)."""


@dataclass(frozen=True, eq=False)
class Term:
    """One loss: ``value == each.sum() / over``.

    Attributes:
        name: The network's word for it.
        value: The network's own number.
        rows: (n,) int64: the boxes of the judgment that take part in it.
        each: (n,) what each of them adds before the division.
        over: The divisor.
        formula: In words and signs.
    """

    name: str
    value: float
    rows: Tensor
    each: Tensor
    over: int
    formula: str


@dataclass(frozen=True, eq=False)
class Judged:
    """Boxes that were compared with the ground truth, and those that took part in the losses.

    Attributes:
        boxes: (N, 4) anchors, or RoIs, in pixels of the transformed image.
        matches: (N,) int64: the ground-truth box of each, `BACKGROUND` or `BETWEEN`.
        positives: (p,) int64 rows that learn a class and a box.
        negatives: (n,) int64 rows that learn to be background.
        terms: The losses over these boxes.
    """

    boxes: Tensor
    matches: Tensor
    positives: Tensor
    negatives: Tensor
    terms: tuple[Term, ...]


@dataclass(frozen=True, eq=False)
class Losses:
    """One training forward.

    Attributes:
        values: The network's output in training mode, by its own names.
        frame: From the photo's pixels to the transformed image of this pass.
        truth: (G, 4) in pixels of the transformed image.
        anchors: How the anchors were judged.
        rois: How the sampled RoIs were judged (two-stage detectors), else None.
    """

    values: dict[str, float]
    frame: Frame
    truth: Tensor
    anchors: Judged
    rois: Judged | None = None


@torch.no_grad()
def losses_of(
    module: nn.Module,
    image: Tensor,
    boxes: Tensor,
    labels: Tensor,
    *,
    seed: int,
    frame: Frame,
    stored_statistics: bool = False,
) -> Losses:
    """Runs a copy of `module` in training mode on one image.

    Masks and keypoints have none: the ground truth has boxes only.

    Args:
        module: A torchvision detector in eval mode; it is not touched.
        image: (C, H, W) as the module takes it, on its device.
        boxes: (G, 4) float, G > 0, pixels of `image`, with positive sides.
        labels: (G,) int64 classes, 0 is the background.
        seed: What torch's generators start from: it decides which boxes are sampled.
        frame: From the photo's pixels to those of `image`.
        stored_statistics: Batch norm uses its stored statistics instead of this image's.

    Raises:
        ExplorerError: When the module is not one of torchvision's detectors, when there is no
            truth, or when a map is too small for the statistics of one image.
    """
    if len(boxes) == 0:
        raise ExplorerError("There is no ground truth.", "Draw a box first.")
    twin = _twin(module, stored_statistics)
    devices = [image.device] if image.device.type == "cuda" else []
    target = [{"boxes": boxes.to(image), "labels": labels.to(image.device)}]
    # torchvision's sampler draws from torch's own generators: they are lent a seed and restored.
    with torch.random.fork_rng(devices), _watched(twin) as seen:
        torch.manual_seed(seed)
        values = _trained(twin, image, target)
    size = seen["transform"][0].image_sizes[0]
    resized = Frame(size[1] / image.shape[-1], size[0] / image.shape[-2])
    truth = seen["transform"][1][0]["boxes"]
    plain = {name: float(value) for name, value in values.items()}
    if isinstance(twin, GeneralizedRCNN):
        anchors, rois = _judged_anchors(twin.rpn, truth, plain, seen), _judged_rois(plain, seen)
        return Losses(plain, frame.then(resized), truth, anchors, rois)
    kind = next(kind for family, kind in ONE_STAGE if isinstance(twin, family))
    return Losses(plain, frame.then(resized), truth, _judged_shots(kind, twin, plain, seen))


def _trained(twin: Any, image: Tensor, target: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    try:
        values: dict[str, Tensor] = twin([image], target)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ExplorerError(
            "One image is too few for this network's batch normalization.",
            "Switch on the stored statistics.",
        ) from error
    return values


def _twin(module: nn.Module, stored_statistics: bool) -> Any:
    families = (GeneralizedRCNN, *(family for family, _ in ONE_STAGE))
    if not isinstance(module, families):
        raise ExplorerError(
            f"The losses of {type(module).__name__} are not supported.",
            "Choose one of torchvision's detectors or a checkpoint of one.",
        )
    twin: Any = copy.deepcopy(module, {id(weight): weight for weight in module.parameters()})
    twin.train()
    if stored_statistics:
        for part in twin.modules():
            if isinstance(part, _BatchNorm):
                part.eval()
    if isinstance(twin, GeneralizedRCNN):
        twin.roi_heads.mask_roi_pool = twin.roi_heads.keypoint_roi_pool = None
    return twin


@contextmanager
def _watched(twin: Any) -> Iterator[dict[str, Any]]:
    """What goes through the steps of training that are not modules, and their results."""
    seen: dict[str, Any] = {}

    def watch(part: Any, method: str, word: str) -> None:
        own = getattr(part, method)

        def call(*arguments: Any, **named: Any) -> Any:
            answer = own(*arguments, **named)
            seen[word] = (arguments, named, answer)
            return answer

        setattr(part, method, call)  # the twin lives for one forward only

    names = ["transform"]
    if isinstance(twin, GeneralizedRCNN):
        names += ["rpn", "rpn.anchor_generator", "roi_heads.box_predictor"]
        watch(twin.rpn, "fg_bg_sampler", "sampled")
        watch(twin.rpn, "compute_loss", "rpn_loss")
        watch(twin.roi_heads, "select_training_samples", "rois")
    else:
        names += ["head", "anchor_generator"]
        ssd = hasattr(twin, "neg_to_pos_ratio")
        watch(twin if ssd else twin.head, "compute_loss", "loss")
    with captured(twin, names) as records:
        yield seen
    seen |= {name: entries[0] for name, entries in records.items()}


def _rows(mask: Tensor) -> Tensor:
    return torch.where(mask)[0]


def _judged_anchors(
    rpn: Any, truth: Tensor, values: dict[str, float], seen: dict[str, Any]
) -> Judged:
    (objectness, deltas, (labels,), (targets,)), _, _ = seen["rpn_loss"]
    (positive,), (negative,) = seen["sampled"][2]
    positives, negatives = _rows(positive), _rows(negative)
    sampled = torch.cat([positives, negatives])
    crossed = F.binary_cross_entropy_with_logits(
        objectness.flatten()[sampled], labels[sampled], reduction="none"
    )
    moved = F.smooth_l1_loss(deltas[positives], targets[positives], beta=1 / 9, reduction="none")
    terms = (
        Term(
            "loss_objectness", values["loss_objectness"], sampled, crossed, len(sampled),
            "mean over the sampled anchors of -log p (object) or -log(1 - p) (background)",
        ),
        Term(
            "loss_rpn_box_reg", values["loss_rpn_box_reg"], positives, moved.sum(1), len(sampled),
            "sum over the positive anchors of smooth L1(t - t*), divided by the number "
            "of sampled anchors",
        ),
    )  # fmt: skip
    boxes = seen["rpn.anchor_generator"][0]
    matches = rpn.proposal_matcher(rpn.box_similarity(truth, boxes))
    return Judged(boxes, matches, positives, negatives, terms)


def _judged_rois(values: dict[str, float], seen: dict[str, Any]) -> Judged:
    (boxes,), (matches,), (labels,), (targets,) = seen["rois"][2]
    logits, deltas = seen["roi_heads.box_predictor"]
    positives, negatives = _rows(labels > 0), _rows(labels == 0)
    crossed = F.cross_entropy(logits, labels, reduction="none")
    own = deltas.reshape(len(labels), -1, 4)[positives, labels[positives]]
    moved = F.smooth_l1_loss(own, targets[positives], beta=1 / 9, reduction="none")
    everyone = torch.arange(len(labels), device=labels.device)
    terms = (
        Term(
            "loss_classifier", values["loss_classifier"], everyone, crossed, len(labels),
            "mean over the sampled RoIs of -log p(class)",
        ),
        Term(
            "loss_box_reg", values["loss_box_reg"], positives, moved.sum(1), len(labels),
            "sum over the positive RoIs of smooth L1(t - t*) of their class, divided by "
            "the number of sampled RoIs",
        ),
    )  # fmt: skip
    matches = torch.where(labels > 0, matches, BACKGROUND)
    return Judged(boxes, matches, positives, negatives, terms)


def _judged_shots(kind: Kind, twin: Any, values: dict[str, float], seen: dict[str, Any]) -> Judged:
    (targets, answers, (anchors,), (matches,)), _, _ = seen["loss"]
    logits, deltas = answers["cls_logits"][0], answers["bbox_regression"][0]
    positives, count = _rows(matches >= 0), int((matches >= 0).sum())
    truth = targets[0]["boxes"][matches[positives]]
    wanted = targets[0]["labels"][matches[positives]]
    own, places = deltas[positives], anchors[positives]
    over = max(1, count)
    if kind == "ssd":
        classes = torch.zeros_like(matches)
        classes[positives] = wanted
        crossed = F.cross_entropy(logits, classes, reduction="none")
        hardest = crossed.masked_fill(classes > 0, -torch.inf).argsort(descending=True, stable=True)
        negatives = hardest[: int(twin.neg_to_pos_ratio * count)]
        part = torch.cat([positives, negatives])
        shift = twin.box_coder.encode_single(truth, places)
        moved = F.smooth_l1_loss(own, shift, reduction="none").sum(1)
        words = "cross-entropy of the positives and the hardest negatives (3:1)"
        each, box_words = crossed[part], "smooth L1(t - t*)"
    else:
        classes = torch.zeros_like(logits)
        classes[positives, wanted] = 1.0
        part = _rows(matches != BETWEEN) if kind == "retinanet" else torch.arange(len(matches))
        part = part.to(logits.device)
        each = sigmoid_focal_loss(logits[part], classes[part], reduction="none").sum(1)
        negatives = _rows(matches == BACKGROUND)
        words = "focal loss of all anchors except the ignored ones"
        if kind == "fcos":
            words = "focal loss of all points"
            boxes = twin.head.box_coder.decode(own, places)
            moved, box_words = generalized_box_iou_loss(boxes, truth), "1 - GIoU"
        else:
            head = twin.head.regression_head
            box_words = {"l1": "L1(t - t*)"}.get(head._loss_type, head._loss_type)
            rows = zip(places.split(1), truth.split(1), own.split(1), strict=True)
            losses = [_box_loss(head._loss_type, head.box_coder, *row) for row in rows]
            moved = torch.stack(losses) if losses else own.new_zeros(0)
    by = "divided by the number of positives"
    terms = [
        Term("classification", values["classification"], part, each, over, f"{words}, {by}"),
        Term(
            "bbox_regression", values["bbox_regression"], positives, moved, over,
            f"sum over the positives of {box_words}, {by}",
        ),
    ]  # fmt: skip
    if kind == "fcos":
        sides = twin.head.box_coder.encode(places, truth)
        across, along = sides[:, [0, 2]], sides[:, [1, 3]]
        wish = (across.amin(1) / across.amax(1) * along.amin(1) / along.amax(1)).sqrt()
        centered = F.binary_cross_entropy_with_logits(
            answers["bbox_ctrness"][0, positives, 0], wish, reduction="none"
        )
        terms.append(
            Term(
                "bbox_ctrness", values["bbox_ctrness"], positives, centered, over,
                f"binary cross-entropy of the center-ness of the positives, {by}",
            )
        )  # fmt: skip
    return Judged(anchors, matches, positives, negatives, tuple(terms))
