"""Every intermediate of one forward pass of a detector, stage by stage, without changing it.

The parts of the network run themselves (transform, backbone, heads, anchor generator, box coder,
pooling); only the bookkeeping between them is done again here, and what each step would throw away
is kept. Run to its end, a trace's `output` is `torch.equal` to the module's own output.

``traced(fasterrcnn_resnet50_fpn(weights="DEFAULT").eval(), image)``, with an image (3, H, W) in
[0, 1], is a `TwoStage`: ``.rpn.proposals`` are the boxes between the stages, ``.roi.logits`` what
the second one's output for each.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.models.detection.ssd import SSD

from explorer.core.errors import ExplorerError
from explorer.networks.preprocess import SAME_FRAME
from explorer.vision.trace.one_stage import Kind, OneStage, one_stage_from, trace_one_stage
from explorer.vision.trace.parts import (
    Filter,
    Level,
    Nms,
    Place,
    Pyramid,
    Stage,
    Suppressors,
    level_of,
    make_levels,
    place_of,
)
from explorer.vision.trace.two_stage import RoiStage, Rpn, TwoStage, trace_two_stage, two_stage_from

if TYPE_CHECKING:
    from torch import Tensor, nn

    from explorer.networks.preprocess import Frame

Trace = TwoStage | OneStage

ONE_STAGE: tuple[tuple[type[Any], Kind], ...] = (
    (RetinaNet, "retinanet"),
    (FCOS, "fcos"),
    (SSD, "ssd"),
)


@torch.no_grad()
def traced(module: nn.Module, image: Tensor, frame: Frame = SAME_FRAME) -> Trace:
    """Runs a detector in eval mode on one image and keeps every stage.

    Args:
        module: Of the R-CNN family, RetinaNet, FCOS or SSD, or a subclass of those.
        image: (C, H, W) as the module takes it, on its device.
        frame: From the photo's pixels to those of `image`.

    Raises:
        ExplorerError: For any other module, and for a subclass that does these steps its own way:
            what would be shown is not what it computes.
    """
    return differentiable(module, image, frame)


def differentiable(module: nn.Module, image: Tensor, frame: Frame = SAME_FRAME) -> Trace:
    """As `traced`, but logits keep their graph where gradients are on.

    Pooled regions have no gradient with respect to the coordinates of their boxes.
    """
    if isinstance(module, GeneralizedRCNN):
        _as_published(module, GeneralizedRCNN, "forward")
        _as_published(module.rpn, RegionProposalNetwork, "forward", "filter_proposals")
        _as_published(module.roi_heads, RoIHeads, "forward", "postprocess_detections")
        return trace_two_stage(module, image, frame)
    for family, kind in ONE_STAGE:
        if isinstance(module, family):
            _as_published(module, family, "forward", "postprocess_detections")
            return trace_one_stage(kind, module, image, frame)
    raise ExplorerError(
        f"The stages of {type(module).__name__} cannot be traced.",
        "Choose one of torchvision's detectors or a checkpoint of one.",
    )


@torch.no_grad()
def again(module: nn.Module, trace: Trace) -> Trace:
    """The trace with the limits that the module has now; its backbone does not run again.

    Masks and keypoints decide nothing and are not computed.

    Args:
        module: That of the trace, whose thresholds and numbers of boxes may have been changed.
        trace: Its own.

    Returns:
        A trace whose `output` is in pixels of the transformed image.
    """
    seen = trace.pyramid
    height, width = seen.size
    images = ImageList(seen.image, [seen.size])
    maps = OrderedDict(seen.features)
    image = seen.image[0, :, :height, :width]
    if isinstance(trace, TwoStage):
        return two_stage_from(module, image, seen.frame, images, maps, branches=False)
    return one_stage_from(trace.kind, module, image, seen.frame, images, maps)


def _as_published(part: Any, family: type[Any], *methods: str) -> None:
    if not isinstance(part, family) or any(
        getattr(type(part), name) is not getattr(family, name) for name in methods
    ):
        raise ExplorerError(
            f"{type(part).__name__} works differently from torchvision's {family.__name__}; "
            "its stages cannot be traced.",
            "Choose one of torchvision's detectors or a checkpoint of one.",
        )


__all__ = [
    "Filter",
    "Level",
    "Nms",
    "OneStage",
    "Place",
    "Pyramid",
    "RoiStage",
    "Rpn",
    "Stage",
    "Suppressors",
    "Trace",
    "TwoStage",
    "again",
    "differentiable",
    "level_of",
    "make_levels",
    "place_of",
    "traced",
]
