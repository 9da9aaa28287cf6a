"""One box of a detector as a target: its class score, traced through the detector.

The place that the box came from is held fixed: the proposal of a detector of the R-CNN family, the
anchor or the cell of a single-stage one. Its score is then a function of the input alone, without
the RPN's choice and without NMS, and at the photo itself it is the score of the detection.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.yolo import YOLO, YOLOv1, YOLOv2, boxes_apart
from explorer.networks.onnx.module import OnnxModule
from explorer.networks.onnx.outputs.decoders import Detector, candidates
from explorer.vision.attribution.targets import Reading
from explorer.vision.trace import TwoStage, traced, yolo

if TYPE_CHECKING:
    from torch import nn

    from explorer.vision.attribution.targets import Target
    from explorer.vision.trace import Trace
    from explorer.vision.trace.one_stage import Kind

SMALLEST = 1e-7
"""Scores nearer to 0 or 1 are moved there before the logarithm."""


@torch.no_grad()
def box_target(module: nn.Module, image: Tensor, row: int, trace: Trace | None = None) -> Target:
    """The target of one detection.

    Args:
        module: One of torchvision's detectors, of the embedded YOLO kind, or of an ONNX file.
        image: (C, H, W) as the module takes it.
        row: Which detection, in the order of the module's output.
        trace: Of the module on this image, where there is one already.

    Raises:
        ExplorerError: The detector's boxes cannot be followed back, or there is no such detection.
    """
    if isinstance(module, YOLO):
        return YoloBox(module, *_yolo_place(module, image, row))
    if isinstance(module, OnnxModule):
        return FileBox(module, *_file_place(module, image, row))
    trace = trace or traced(module, image)
    places, labels = trace.detected
    if not 0 <= row < len(places):
        raise _no_detection(len(places))
    place, label = int(places[row]), int(labels[row])
    if isinstance(trace, TwoStage):
        return RegionBox(module, trace.roi.proposals[place].clone(), label)
    return AnchorBox(module, trace.kind, place, label)


@dataclass(frozen=True, slots=True, eq=False)
class RegionBox:
    """A class logit of the second stage for a fixed proposal.

    Attributes:
        module: Of the R-CNN family.
        proposal: (4,) xyxy in pixels of the transformed image.
        label: Index of the class.
    """

    module: nn.Module
    proposal: Tensor
    label: int

    def __call__(self, values: Tensor) -> Reading:
        """See `Target`; the confidence is the softmax: what the network gives as score."""
        module: Any = self.module
        images, _ = module.transform(list(values))
        features = module.backbone(images.tensors)
        if isinstance(features, Tensor):
            features = {"0": features}
        proposals = [self.proposal[None].to(images.tensors)] * len(values)
        heads = module.roi_heads
        crops = heads.box_roi_pool(features, proposals, images.image_sizes)
        logits = heads.box_predictor(heads.box_head(crops))[0].float()
        return _of_class(logits, logits.detach().softmax(1), self.label)


@dataclass(frozen=True, slots=True, eq=False)
class AnchorBox:
    """A class logit of a fixed anchor.

    Attributes:
        module: SSD, RetinaNet or FCOS.
        kind: Which of them.
        anchor: Index among all anchors.
        label: Index of the class.
    """

    module: nn.Module
    kind: Kind
    anchor: int
    label: int

    def __call__(self, values: Tensor) -> Reading:
        """See `Target`; FCOS multiplies with the centerness: its score is the log of the score."""
        module: Any = self.module
        images, _ = module.transform(list(values))
        features = module.backbone(images.tensors)
        maps = [features] if isinstance(features, Tensor) else list(features.values())
        answers = module.head(maps)
        logits = answers["cls_logits"][:, self.anchor].float()
        if self.kind == "ssd":
            return _of_class(logits, logits.detach().softmax(1), self.label)
        if self.kind == "fcos":
            centerness = answers["bbox_ctrness"][:, self.anchor].float()
            both = 0.5 * (F.logsigmoid(logits) + F.logsigmoid(centerness))
            return _of_class(both, both.detach().exp(), self.label)
        return _of_class(logits, logits.detach().sigmoid(), self.label)


@dataclass(frozen=True, slots=True, eq=False)
class YoloBox:
    """The score of a fixed box of a cell.

    Attributes:
        module: Version 1 or 2.
        place: Index of the box among those of all cells.
        label: Index of the class.
    """

    module: YOLO
    place: int
    label: int

    def __call__(self, values: Tensor) -> Reading:
        """See `Target`.

        Version 2: the logit of the score, which is a product of sigmoids. Version 1: the product of
        its plain numbers, which is the score itself.
        """
        _, numbers = self.module.numbers(list(values))
        scores = torch.stack([_yolo_score(self.module, one, self.place) for one in numbers])
        if isinstance(self.module, YOLOv1):
            scores = scores[:, self.label - 1]
            return self._read(scores, scores.detach().clamp(0, 1))
        scores = scores[:, self.label]
        return self._read(scores.logit(SMALLEST), scores.detach())

    def _read(self, score: Tensor, confidence: Tensor) -> Reading:
        return Reading(score, confidence, torch.full_like(score, self.label, dtype=torch.int64))


@dataclass(frozen=True, slots=True, eq=False)
class SimilarBox:
    """How similar the best detection is to a given one: the similarity of D-RISE.

    The largest product of the IoU of the boxes and the cosine of the class probabilities. It has no
    gradient. The detections are all candidates of the network before NMS, where they can be traced;
    of other detectors those of its output, whose classes are the same or not.

    Source: Petsiuk et al. 2021, "Black-box Explanation of Object Detectors via Saliency Maps",
    equations 2 to 5, with the objectness of detectors that have none taken as 1; where only scores
    are known, the score stands for it.

    Attributes:
        module: A detector.
        box: (4,) xyxy in pixels of the transformed image; without a trace, of the input.
        label: Index of the class.
        shares: (K,) class probabilities of the detection; None = its detector cannot be traced.
    """

    module: nn.Module
    box: Tensor
    label: int
    shares: Tensor | None = None

    @classmethod
    @torch.no_grad()
    def of(cls, module: nn.Module, image: Tensor, row: int) -> SimilarBox:
        """The one for detection `row` of the module's output for (C, H, W) `image`.

        Raises:
            ExplorerError: There is no such detection.
        """
        found = _traced(module, image)
        if found is None:
            (output,) = module([image])
            if not 0 <= row < len(output["boxes"]):
                raise _no_detection(len(output["boxes"]))
            return cls(module, output["boxes"][row], int(output["labels"][row]))
        places, labels = found.detected
        if not 0 <= row < len(places):
            raise _no_detection(len(places))
        place, label = int(places[row]), int(labels[row])
        boxes, shares = _candidates(found, label)
        return cls(module, boxes[place].clone(), label, shares[place].clone())

    @torch.no_grad()
    def __call__(self, values: Tensor) -> Reading:
        """See `Target`."""
        found = torch.stack([self._similarity(image) for image in values])
        return Reading(found, found, torch.full_like(found, self.label, dtype=torch.int64))

    def _similarity(self, image: Tensor) -> Tensor:
        if self.shares is None:
            (output,) = self.module([image])
            same = (output["labels"] == self.label).float() * output["scores"].float()
            return _largest(box_iou(output["boxes"].float(), self.box[None].float())[:, 0] * same)
        trace = _traced(self.module, image)
        assert trace is not None
        boxes, shares = _candidates(trace, self.label)
        alike = F.cosine_similarity(shares, self.shares[None], dim=1)
        return _largest(box_iou(boxes, self.box[None])[:, 0] * alike)


def _traced(module: nn.Module, image: Tensor) -> Trace | None:
    with suppress(ExplorerError):
        return traced(module, image)
    return None


def _candidates(trace: Trace, label: int) -> tuple[Tensor, Tensor]:
    """(N, 4) boxes as they are for class `label`, and (N, K) probabilities without background."""
    if isinstance(trace, TwoStage):
        return trace.roi.boxes[:, label].float(), trace.roi.probabilities[:, 1:].float()
    return trace.boxes.float(), trace.scores[:, 1:].float()


def _largest(values: Tensor) -> Tensor:
    return values.max() if len(values) else values.new_zeros(())


def _of_class(scores: Tensor, shares: Tensor, label: int) -> Reading:
    labels = torch.full((len(scores),), label, device=scores.device)
    return Reading(scores[:, label], shares[:, label], labels)


def _no_detection(count: int) -> ExplorerError:
    return ExplorerError(
        "There is no such detection." if count else "The detector finds nothing on this photo.",
        "Choose another box." if count else "Choose another photo, or a unit as target.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class FileBox:
    """The score of a fixed box of a file's outputs, as its decoder computes it.

    Attributes:
        module: Of an ONNX file, a detector whose boxes are suppressed here.
        place: Which of the network's boxes.
        label: Index of the class.
    """

    module: OnnxModule
    place: int
    label: int

    def __call__(self, values: Tensor) -> Reading:
        """See `Target`: the logit of the score, which is what the network gives."""
        head = self.module.head
        assert isinstance(head, Detector)
        outputs, size = self.module.outputs(values), (values.shape[-2], values.shape[-1])
        found = []
        for at in range(len(values)):
            own = head.of_image(outputs, at, len(values))
            scores = candidates(own, head.decoding, size, head.names)[1]
            found.append(scores[self.place, self.label - 1].float())
        score = torch.stack(found)
        label = torch.full_like(score, self.label, dtype=torch.int64)
        return Reading(score.logit(SMALLEST), score.detach(), label)


def _file_place(module: OnnxModule, image: Tensor, row: int) -> tuple[int, int]:
    """Which of the network's boxes detection `row` is, and its class."""
    head = module.head
    if not isinstance(head, Detector) or not head.decoding.suppresses:
        raise ExplorerError(
            "The network has selected its boxes itself: they cannot be followed back.",
            "Choose D-RISE, or a unit as target.",
        )
    outputs = head.of_image(module.outputs(image[None]), 0, 1)
    found = head.pairs(outputs, (image.shape[-2], image.shape[-1]))
    kept = head.kept(found)
    if not 0 <= row < len(kept):
        raise _no_detection(len(kept))
    return int(found.rows[kept[row]]), int(found.labels[kept[row]])


def _yolo_place(module: YOLO, image: Tensor, row: int) -> tuple[int, int]:
    """Box among those of all cells, and class, of a detection of the module's output."""
    _, nms = yolo.suppression(module, [image])
    sides = nms.boxes[nms.kept, 2:] - nms.boxes[nms.kept, :2]
    kept = nms.kept[(sides > 1).all(1)][: module.detections_per_img]
    if not 0 <= row < len(kept):
        raise _no_detection(len(kept))
    candidate, label = divmod(int(nms.ids[kept[row]]), module.num_classes)
    if isinstance(module, YOLOv2):  # its candidates are those with enough objectness
        _, (one,) = module.numbers([image])
        candidate = int(
            torch.where(one[..., 4].flatten().sigmoid() > module.score_thresh)[0][candidate]
        )
    return candidate, label


def _yolo_score(module: YOLO, numbers: Tensor, place: int) -> Tensor:
    """(K,) scores of one box: of version 2 by label, of version 1 by class without background."""
    if isinstance(module, YOLOv2):
        own = numbers.flatten(0, 2)[place : place + 1]
        shares = module.tree.per_label(module.tree(own[:, 5:]), module.num_classes)
        found: Tensor = (own[:, 4:5].sigmoid() * shares)[0]
        return found
    assert isinstance(module, YOLOv1)
    confidence = boxes_apart(numbers, module.boxes)[..., 4].flatten()[place]
    classes = numbers[..., 5 * module.boxes :].flatten(0, 1)[place // module.boxes]
    return confidence * classes
