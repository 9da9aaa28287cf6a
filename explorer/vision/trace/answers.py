"""The outputs for every anchor of a detector, in one form for all networks that have anchors.

``anchor_answers(ssd300_vgg16().eval(), [image])`` has all its anchors and the best class of each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor

from explorer.networks.embedded.yolo import YOLO, YOLOv2
from explorer.networks.onnx.module import OnnxModule
from explorer.networks.preprocess import SAME_FRAME
from explorer.vision.trace import TwoStage, decoded, traced, yolo
from explorer.vision.trace.parts import AnchorAnswers

if TYPE_CHECKING:
    from torch import nn

    from explorer.networks.preprocess import Frame
    from explorer.vision.trace import Trace
    from explorer.vision.trace.parts import Nms


@runtime_checkable
class HasAnchors(Protocol):
    """A module that is no torchvision detector but has anchors: one method makes it shown.

    The result's `frame` is from the module's input to the frame of the boxes; `Frame()` where the
    module does not resize.
    """

    def anchor_answers(self, images: Tensor | list[Tensor]) -> AnchorAnswers:
        """Takes what `forward` takes: a list with one (C, H, W) image, or (1, C, H, W)."""
        ...


@runtime_checkable
class HasSuppression(Protocol):
    """A module that is no torchvision detector but suppresses overlapping boxes as those do."""

    def suppression(self, images: Tensor | list[Tensor]) -> tuple[Frame, Nms]:
        """What goes into it and what stays, and the frame of its boxes.

        Takes what `forward` takes; the frame is as in `HasAnchors`, from the module's input.
        """
        ...


def anchor_answers(
    module: nn.Module, images: Tensor | list[Tensor], frame: Frame = SAME_FRAME
) -> AnchorAnswers:
    """The outputs of a detector in eval mode for every anchor, on one image.

    Args:
        module: One of torchvision's detectors, or one that has anchors of its own (`HasAnchors`).
        images: What it takes: a list with one (C, H, W), or (1, C, H, W), on its device.
        frame: From the photo's pixels to those of the image; the result's is from the photo too.

    Raises:
        ExplorerError: When the network has no anchors that can be followed.
    """
    own = own_answers(module, images, frame)
    return answers_of(traced(module, images[0], frame)) if own is None else own


@torch.no_grad()
def own_answers(
    module: nn.Module, images: Tensor | list[Tensor], frame: Frame = SAME_FRAME
) -> AnchorAnswers | None:
    """As `anchor_answers`; None when only a trace can tell."""
    if isinstance(module, HasAnchors):
        own = module.anchor_answers(images)
    elif isinstance(module, YOLOv2):
        own = yolo.anchor_answers(module, images)
    elif isinstance(module, OnnxModule) and isinstance(images, Tensor):
        own = decoded.anchor_answers(module, images)
    else:
        return None
    return replace(own, frame=frame.then(own.frame))


@torch.no_grad()
def answers_of(trace: Trace) -> AnchorAnswers:
    """The outputs that a trace has for every anchor."""
    seen = trace.pyramid
    if isinstance(trace, TwoStage):
        scores, refined, labels, meaning = trace.rpn.scores, trace.rpn.decoded, None, "objectness"
    else:
        scores, labels = trace.scores[:, 1:].max(dim=1)  # class 0 is the background
        labels, refined, meaning = labels + 1, trace.decoded, "best class"
    return AnchorAnswers(
        seen.frame, seen.size, seen.levels, seen.anchors, scores, refined, labels, meaning
    )


@torch.no_grad()
def own_suppression(
    module: nn.Module, images: Tensor | list[Tensor], frame: Frame = SAME_FRAME
) -> tuple[Frame, Nms] | None:
    """The suppression of a detector that is none of torchvision's; None when it has none.

    Arguments as in `anchor_answers`; the frame in the result is from the photo to its boxes.
    """
    if isinstance(module, HasSuppression):
        own, nms = module.suppression(images)
    elif isinstance(module, YOLO):
        own, nms = yolo.suppression(module, images)
    elif isinstance(module, OnnxModule) and isinstance(images, Tensor):
        found = decoded.suppression(module, images)
        if found is None:
            return None
        own, nms = found
    else:
        return None
    return frame.then(own), nms
