"""What is known of the boxes of detectors whose outputs are decoded here: those of ONNX files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from explorer.core.errors import ExplorerError
from explorer.networks.onnx.outputs.decoders import Detector, candidates
from explorer.networks.onnx.outputs.grids import box_numbers, cells_of
from explorer.networks.preprocess import SAME_FRAME
from explorer.vision.trace.parts import AnchorAnswers, Level, Nms

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.networks.onnx.module import OnnxModule
    from explorer.networks.onnx.outputs.grids import Cells
    from explorer.networks.preprocess import Frame


@dataclass(frozen=True, slots=True, eq=False)
class CellNumbers:
    """The outputs of a YOLO of a file for one image, cell by cell in the order of `cells`.

    Attributes:
        form: How its outputs are read, see `decoders.Form`.
        cells: Where its A boxes stand.
        size: Height and width of the input, in whose pixels boxes are.
        numbers: (A, M) as the file gives them.
        boxes: (A, 4) x0, y0, x1, y1, not clipped.
        scores: (A, K) of the classes, multiplied by the objectness where there is one.
    """

    form: str
    cells: Cells
    size: tuple[int, int]
    numbers: Tensor
    boxes: Tensor
    scores: Tensor


@torch.no_grad()
def cell_numbers(module: OnnxModule, images: Tensor) -> CellNumbers:
    """Of one image.

    Args:
        module: Of an ONNX file.
        images: (1, 3, H, W), as the module takes it.

    Raises:
        ExplorerError: Its outputs are not those of a YOLO, or do not stand on cells.
    """
    head, outputs, size = _outputs(module, images)
    numbers = box_numbers(outputs, head.decoding)
    cells = cells_of(head.decoding, len(numbers), size, module.anchors)
    boxes, scores, _ = candidates(outputs, head.decoding, size, head.names)
    order = torch.from_numpy(cells.order).to(numbers.device)
    return CellNumbers(
        head.decoding.form, cells, size, numbers[order].float(), boxes[order], scores[order]
    )


@torch.no_grad()
def anchor_answers(module: OnnxModule, images: Tensor) -> AnchorAnswers:
    """The outputs for every anchor of every cell; see `explorer.vision.trace.answers.HasAnchors`.

    Raises:
        ExplorerError: The outputs do not tell which cell a box came from.
    """
    head, outputs, size = _outputs(module, images)
    boxes, scores, labels = candidates(outputs, head.decoding, size, head.names)
    cells = cells_of(head.decoding, len(boxes), size, module.anchors)
    order = torch.from_numpy(cells.order).to(boxes.device)
    if labels is None:
        scores, labels = scores.max(dim=1)
        labels = labels + 1
    anchors = torch.from_numpy(cells.anchors).to(boxes.device)
    return AnchorAnswers(
        SAME_FRAME, size, _levels(cells), anchors, scores[order].float(), boxes[order].float(),
        labels[order], "best class",
    )  # fmt: skip


def _outputs(
    module: OnnxModule, images: Tensor
) -> tuple[Detector, tuple[Tensor, ...], tuple[int, int]]:
    head = module.head
    if not isinstance(head, Detector):
        raise ExplorerError("This network finds no boxes.", "Choose a detector.")
    outputs = head.of_image(module.outputs(images), 0, len(images))
    return head, outputs, (int(images.shape[-2]), int(images.shape[-1]))


def _levels(cells: Cells) -> tuple[Level, ...]:
    found, first = [], 0
    for place in cells.levels:
        own = cells.anchors[first : first + place.per_cell]
        shapes = tuple((float(x1 - x0), float(y1 - y0)) for x0, y0, x1, y1 in own)
        found.append(
            Level(
                f"stride {place.stride[0]:g}", place.rows, place.columns, place.stride,
                place.per_cell, first, shapes,
            )
        )  # fmt: skip
        first += place.count
    return tuple(found)


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
    _, outputs, size = _outputs(module, images)
    found = head.pairs(outputs, size)
    kinds = int(found.labels.max()) + 1 if len(found.labels) else 1
    return SAME_FRAME, Nms(
        found.rows * kinds + found.labels, found.boxes, found.scores, found.labels,
        head.decoding.nms_iou, head.kept(found), head.decoding.most,
    )  # fmt: skip
