"""The suppression of detectors whose outputs are decoded here: those of ONNX files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from explorer.networks.onnx.decoders import Detector
from explorer.networks.preprocess import SAME_FRAME
from explorer.vision.trace.parts import Nms

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.networks.onnx.module import OnnxModule
    from explorer.networks.preprocess import Frame


@torch.no_grad()
def suppression(module: OnnxModule, images: Tensor) -> tuple[Frame, Nms] | None:
    """What goes into it and what stays; None where the network did it itself, or finds no boxes.

    Args:
        module: Of an ONNX file.
        images: (1, 3, H, W), as the module takes it; boxes are in its pixels.
    """
    head = module.head
    if not isinstance(head, Detector) or not head.decoding.suppresses:
        return None
    outputs = head.of_image(module.outputs(images), 0, len(images))
    found = head.pairs(outputs, (int(images.shape[-2]), int(images.shape[-1])))
    kinds = int(found.labels.max()) + 1 if len(found.labels) else 1
    return SAME_FRAME, Nms(
        found.rows * kinds + found.labels, found.boxes, found.scores, found.labels,
        head.decoding.nms_iou, head.kept(found), head.decoding.most,
    )  # fmt: skip
