"""The trace of a detector of the R-CNN family (Ren et al. 2015; He et al. 2017)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.roi_heads import keypointrcnn_inference, maskrcnn_inference
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import batched_nms, clip_boxes_to_image, remove_small_boxes

from explorer.networks.preprocess import Frame
from explorer.vision.trace.parts import Filter, Nms, Pyramid, Stage, make_levels

if TYPE_CHECKING:
    from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
    from torchvision.models.detection.image_list import ImageList


@dataclass(frozen=True, eq=False)
class Rpn:
    """The region proposal network; its candidates are the anchors.

    Attributes:
        objectness: (N,) logits.
        deltas: (N, 4) as tx, ty, tw, th.
        decoded: (N, 4), the anchors moved by their deltas, not clipped.
        size: Height and width that boxes are clipped to.
        smallest: A box with a shorter side is dropped.
        threshold: A box with a lower sigmoid of its objectness is dropped.
        pre_nms: How many of each level go into the suppression.
        filter: Stages "top_k", "large", "min_score", "nms", "top_n"; groups are levels.
    """

    objectness: Tensor
    deltas: Tensor
    decoded: Tensor
    size: tuple[int, int]
    smallest: float
    threshold: float
    pre_nms: int
    filter: Filter

    @cached_property
    def scores(self) -> Tensor:
        """(N,) objectness in [0, 1]."""
        return self.objectness.sigmoid()

    @cached_property
    def clipped(self) -> Tensor:
        """(N, 4), also of the anchors that were dropped before clipping."""
        boxes: Tensor = clip_boxes_to_image(self.decoded, self.size)
        return boxes

    @cached_property
    def proposals(self) -> Tensor:
        """(P, 4), the best first: the input of the second stage."""
        return self.filter.nms.boxes[self.filter.nms.top]

    @property
    def proposal_anchors(self) -> Tensor:
        """(P,) int64: the anchor that each proposal came from."""
        return self.filter.survivors


@dataclass(frozen=True, eq=False)
class RoiStage:
    """The second stage; its candidates are pairs: id = proposal x classes + class.

    Attributes:
        pool: The pooling module; `levels` asks it.
        proposals: (P, 4).
        pooled: (P, C, h, w) crops of the feature maps.
        vectors: What the box head made of them, (P, D).
        logits: (P, K), class 0 is the background.
        deltas: (P, K, 4), one set for every class.
        decoded: (P, K, 4), the proposals moved by their deltas, not clipped.
        boxes: (P, K, 4), clipped.
        probabilities: (P, K), softmax of the logits.
        weights: Of the box coder, for tx, ty, tw, th.
        threshold: A pair needs a higher probability to be kept.
        smallest: A box with a shorter side is dropped.
        filter: Stages "min_score", "large", "nms", "top_n"; groups are classes.
        masks: (M, K, h, w) logits for the M detections, or None.
        keypoints: (M, J, h, w) heat maps for the M detections, or None.
    """

    pool: nn.Module
    proposals: Tensor
    pooled: Tensor
    vectors: Tensor
    logits: Tensor
    deltas: Tensor
    decoded: Tensor
    boxes: Tensor
    probabilities: Tensor
    weights: tuple[float, float, float, float]
    threshold: float
    smallest: float
    filter: Filter
    masks: Tensor | None = None
    keypoints: Tensor | None = None

    @property
    def classes(self) -> int:
        """K, with the background."""
        return self.logits.shape[1]

    @property
    def detected(self) -> tuple[Tensor, Tensor]:
        """(M,) int64 each: proposal and class of every detection, highest scores first."""
        ids = self.filter.survivors
        return ids // self.classes, ids % self.classes

    @cached_property
    def levels(self) -> Tensor:
        """(P,) int64: which of the maps that are pooled each proposal was cut from.

        Lin et al. 2017, equation 1; all 0 when the pooling module has one map.
        """
        names, scales = getattr(self.pool, "featmap_names", ()), getattr(self.pool, "scales", None)
        mapper = getattr(self.pool, "map_levels", None)
        if len(names) < 2 or not scales or mapper is None:
            return torch.zeros(len(self.proposals), dtype=torch.int64, device=self.proposals.device)
        levels: Tensor = mapper([self.proposals])
        return levels


@dataclass(frozen=True, eq=False)
class TwoStage:
    """Every stage of one forward pass; `output` is the module's output, bit for bit."""

    pyramid: Pyramid
    rpn: Rpn
    roi: RoiStage
    output: list[dict[str, Tensor]]

    @property
    def filter(self) -> Filter:
        """The one that the detections come out of."""
        return self.roi.filter

    @property
    def detected(self) -> tuple[Tensor, Tensor]:
        """(M,) int64 each: proposal and class of every detection, highest scores first."""
        return self.roi.detected


def features_of(module: Any, image: Tensor) -> tuple[ImageList, OrderedDict[str, Tensor]]:
    """The transformed image and the backbone's maps, as torchvision's detectors make them."""
    images, _ = module.transform([image])
    features = module.backbone(images.tensors)
    if isinstance(features, Tensor):
        features = OrderedDict([("0", features)])
    return images, features


def pyramid_of(
    image: Tensor,
    frame: Frame,
    images: ImageList,
    features: OrderedDict[str, Tensor],
    per_cell: list[int],
    anchors: Tensor,
) -> Pyramid:
    """`frame` is from the photo to `image`, (C, H, W) before the network's own transform."""
    (height, width) = images.image_sizes[0]
    resized = Frame(width / image.shape[-1], height / image.shape[-2])
    maps = [(name, int(x.shape[-2]), int(x.shape[-1])) for name, x in features.items()]
    padded = (int(images.tensors.shape[-2]), int(images.tensors.shape[-1]))
    levels = make_levels(maps, per_cell, anchors, padded)
    return Pyramid(
        images.tensors, (int(height), int(width)), frame.then(resized), features, levels, anchors
    )


def trace_two_stage(module: GeneralizedRCNN, image: Tensor, frame: Frame) -> TwoStage:
    """Runs the module's parts one after the other; see `explorer.vision.trace.traced`."""
    images, features = features_of(module, image)
    return two_stage_from(module, image, frame, images, features)


def two_stage_from(
    module: Any,
    image: Tensor,
    frame: Frame,
    images: ImageList,
    features: OrderedDict[str, Tensor],
    *,
    branches: bool = True,
) -> TwoStage:
    """The same from the backbone's maps on; see `explorer.vision.trace.again`.

    Without `branches` there are no masks and keypoints.
    """
    pyramid, rpn = _proposed(module.rpn, image, frame, images, features)
    roi, found = _detected(module.roi_heads, features, rpn.proposals, images, branches)
    original = [(int(image.shape[-2]), int(image.shape[-1]))]
    output = module.transform.postprocess([found], images.image_sizes, original)
    return TwoStage(pyramid, rpn, roi, output)


def _proposed(
    rpn: Any, image: Tensor, frame: Frame, images: ImageList, features: OrderedDict[str, Tensor]
) -> tuple[Pyramid, Rpn]:
    maps = list(features.values())
    logits, deltas = rpn.head(maps)
    (anchors,) = rpn.anchor_generator(images, maps)
    per_cell = [level.shape[1] for level in logits]
    counts = [level[0].numel() for level in logits]
    flat_logits, flat_deltas = concat_box_prediction_layers(logits, deltas)
    decoded = rpn.box_coder.decode(flat_deltas, [anchors]).view(-1, 4)
    objectness, size = flat_logits.flatten(), images.image_sizes[0]
    filtered = filter_anchors(rpn, objectness, decoded, counts, size)
    pyramid = pyramid_of(image, frame, images, features, per_cell, anchors)
    return pyramid, Rpn(
        objectness, flat_deltas, decoded, size, rpn.min_size, rpn.score_thresh, rpn.pre_nms_top_n(),
        filtered,
    )  # fmt: skip


def filter_anchors(
    rpn: Any, objectness: Tensor, decoded: Tensor, counts: list[int], size: tuple[int, int]
) -> Filter:
    """What passes the RPN with the limits that it has now.

    Args:
        rpn: torchvision's region proposal network, for its limits alone.
        objectness: (N,) logits of the anchors, level after level.
        decoded: (N, 4), the anchors moved by their deltas.
        counts: Anchors of each level.
        size: Height and width that boxes are clipped to.
    """
    best, first = [], 0
    for level in torch.split(objectness[None], counts, dim=1):
        most = min(rpn.pre_nms_top_n(), level.shape[1])
        best.append(level.topk(most, dim=1)[1][0] + first)
        first += level.shape[1]
    top_k = torch.cat(best)
    groups = torch.cat([torch.full_like(ids, number) for number, ids in enumerate(best)])
    boxes = clip_boxes_to_image(decoded[top_k], size)
    scores = torch.sigmoid(objectness[top_k])

    keep = remove_small_boxes(boxes, rpn.min_size)
    boxes, scores, groups, large = boxes[keep], scores[keep], groups[keep], top_k[keep]
    keep = torch.where(scores >= rpn.score_thresh)[0]
    boxes, scores, groups, sure = boxes[keep], scores[keep], groups[keep], large[keep]
    kept = batched_nms(boxes, scores, groups, rpn.nms_thresh)
    nms = Nms(sure, boxes, scores, groups, rpn.nms_thresh, kept, rpn.post_nms_top_n())
    stages = (
        Stage("top_k", top_k), Stage("large", large), Stage("min_score", sure),
        Stage("nms", sure[kept]), Stage("top_n", sure[nms.top]),
    )  # fmt: skip
    return Filter(len(decoded), stages, nms)


SMALLEST = 1e-2
"""torchvision's box head drops boxes with a shorter side."""


def _detected(
    heads: Any,
    features: OrderedDict[str, Tensor],
    proposals: Tensor,
    images: ImageList,
    branches: bool,
) -> tuple[RoiStage, dict[str, Tensor]]:
    sizes = images.image_sizes
    pooled = heads.box_roi_pool(features, [proposals], sizes)
    version = pooled._version
    vectors = heads.box_head(pooled)
    logits, deltas = heads.box_predictor(vectors)
    if pooled._version != version:  # a head that starts in place has overwritten the crops
        pooled = heads.box_roi_pool(features, [proposals], sizes)
    decoded = heads.box_coder.decode(deltas, [proposals])
    probabilities = F.softmax(logits, -1)
    clipped = clip_boxes_to_image(decoded, sizes[0])
    filtered = filter_pairs(heads, probabilities, clipped)
    nms = filtered.nms
    found = {
        "boxes": nms.boxes[nms.top], "labels": nms.groups[nms.top], "scores": nms.scores[nms.top]
    }  # fmt: skip

    masks = keypoints = None
    if branches and heads.has_mask():
        crops = heads.mask_roi_pool(features, [found["boxes"]], sizes)
        masks = heads.mask_predictor(heads.mask_head(crops))
        (found["masks"],) = maskrcnn_inference(masks, [found["labels"]])
    if branches and heads.has_keypoint():
        crops = heads.keypoint_roi_pool(features, [found["boxes"]], sizes)
        keypoints = heads.keypoint_predictor(heads.keypoint_head(crops))
        (joints,), (sureness,) = keypointrcnn_inference(keypoints, [found["boxes"]])
        found["keypoints"], found["keypoints_scores"] = joints, sureness
    roi = RoiStage(
        heads.box_roi_pool, proposals, pooled, vectors, logits,
        deltas.reshape(len(proposals), -1, 4), decoded, clipped, probabilities,
        heads.box_coder.weights, heads.score_thresh, SMALLEST,
        filtered, masks, keypoints,
    )  # fmt: skip
    return roi, found


def filter_pairs(heads: Any, probabilities: Tensor, boxes: Tensor) -> Filter:
    """What passes the second stage with the limits that it has now.

    Args:
        heads: torchvision's RoI heads, for their limits alone.
        probabilities: (P, K), class 0 is the background.
        boxes: (P, K, 4), clipped.
    """
    classes = probabilities.shape[-1]
    flat, scores = boxes[:, 1:].reshape(-1, 4), probabilities[:, 1:].reshape(-1)
    rows = torch.where(scores > heads.score_thresh)[0]
    ids = rows // (classes - 1) * classes + rows % (classes - 1) + 1
    flat, scores = flat[rows], scores[rows]
    keep = remove_small_boxes(flat, min_size=SMALLEST)
    flat, scores, large = flat[keep], scores[keep], ids[keep]
    labels = large % classes
    kept = batched_nms(flat, scores, labels, heads.nms_thresh)
    nms = Nms(large, flat, scores, labels, heads.nms_thresh, kept, heads.detections_per_img)
    stages = (
        Stage("min_score", ids), Stage("large", large), Stage("nms", large[kept]),
        Stage("top_n", large[nms.top]),
    )  # fmt: skip
    return Filter(probabilities.numel(), stages, nms)
