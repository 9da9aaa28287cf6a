"""From the outputs of detectors as they are exported to boxes, labels and scores.

Boxes are x0, y0, x1, y1 in pixels of the network's input, y down; labels count from 1, 0 is the
background, as in torchvision's detectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_convert, clip_boxes_to_image

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Sequence

Form = Literal["yolov5", "yolov8", "yolox", "end-to-end", "ssd", "boxes", "detr"]
"""- "yolov5" (v5, v7): (N, A, 5 + K) of center, size, objectness and classes, in pixels.
- "yolov8" (v8, v9, v11): (N, 4 + K, A) of center, size and classes, in pixels.
- "yolox": (N, A, 5 + K), where center and size are to be decoded by the grid of each stride.
- "end-to-end" (v10, v26): (N, M, 6) of corners, score and class, without suppression.
- "ssd": boxes (N, A, 4) and scores (N, A, K) with the background first.
- "boxes": boxes, scores and labels that the network has suppressed itself, as torchvision exports.
- "detr": boxes (N, Q, 4) of center and size as parts of the image, logits (N, Q, K + 1) with "no
  object" last."""

FORMS: tuple[Form, ...] = get_args(Form)
ORDERS = ("xyxy", "yxyx", "cxcywh")
STRIDES = (8, 16, 32)
LARGEST_LOG = 20.0
"""A size beyond e^20 strides is no box; it would become infinite."""

MOST = 3000
"""How many of the highest-scoring pairs of box and class go into the suppression."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the outputs are to be read.

    Attributes:
        form: See `Form`.
        order: Of the numbers of a box, for "ssd" and "boxes".
        unit: Boxes are parts of the image instead of pixels, for "ssd" and "boxes".
        first_label: The number of the first class, for "boxes" and "end-to-end".
        classes: K, where more numbers follow (of masks, of keypoints); 0 = all of them.
        score_floor: Boxes need a higher score.
        nms_iou: A box that overlaps a higher-scoring one of its class by more is suppressed.
        most: At most this many boxes are kept.
    """

    form: Form
    order: str = "xyxy"
    unit: bool = False
    first_label: int = 1
    classes: int = 0
    score_floor: float = 0.05
    nms_iou: float = 0.5
    most: int = 300

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ExplorerError(
                f"There is no form of detections {self.form!r}.",
                f"Choose among: {', '.join(FORMS)}.",
            )
        if self.order not in ORDERS:
            raise ExplorerError(
                f"There is no order of boxes {self.order!r}.", f"Choose among: {', '.join(ORDERS)}."
            )

    @property
    def suppresses(self) -> bool:
        """Whether boxes are suppressed here; else the network did it, or needs none."""
        return self.form in ("yolov5", "yolov8", "yolox", "ssd")


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Boxes of one image, each with one class, the highest score first.

    Attributes:
        boxes: (n, 4).
        scores: (n,).
        labels: (n,) int64 from 1 on.
        rows: (n,) int64, which of the network's boxes each is.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    rows: Tensor


class Detector:
    """The head of a network that finds boxes.

    Args:
        decoding: How its outputs are to be read.
        names: Of the outputs, in their order.
    """

    def __init__(self, decoding: Decoding, names: Sequence[str] = ()) -> None:
        self.decoding, self.names = decoding, tuple(names)

    def __call__(self, outputs: tuple[Tensor, ...], images: Tensor) -> list[dict[str, Tensor]]:
        """For every image its `boxes`, `labels` and `scores`, the highest score first."""
        many = len(images)
        return [self._answer(self.of_image(outputs, at, many), images) for at in range(many)]

    def of_image(self, outputs: tuple[Tensor, ...], at: int, many: int) -> tuple[Tensor, ...]:
        """The outputs for one of `many` images, without the batch."""
        if self.decoding.form == "boxes" and not any(_many_boxes(output) for output in outputs):
            return outputs  # torchvision's own exports take one image and have no batch
        whole = (output for output in outputs if output.ndim and len(output) == many)
        return tuple(output[at] for output in whole)

    def _answer(self, outputs: tuple[Tensor, ...], images: Tensor) -> dict[str, Tensor]:
        found = self.pairs(outputs, (int(images.shape[-2]), int(images.shape[-1])))
        kept = self.kept(found)
        return {
            "boxes": found.boxes[kept],
            "labels": found.labels[kept],
            "scores": found.scores[kept],
        }

    def pairs(self, outputs: tuple[Tensor, ...], size: tuple[int, int]) -> Pairs:
        """What goes into the suppression.

        Args:
            outputs: Of one image, without the batch.
            size: Height and width of the input.
        """
        boxes, scores, labels = candidates(outputs, self.decoding, size, self.names)
        if labels is None:
            rows, classes = torch.where(scores > self.decoding.score_floor)
            best, labels = scores[rows, classes], classes + 1
        else:
            rows = torch.where(scores > self.decoding.score_floor)[0]
            best, labels = scores[rows], labels[rows]
        best, order = best.sort(descending=True, stable=True)
        best, order = best[:MOST], order[:MOST]
        rows = rows[order]
        clipped = clip_boxes_to_image(boxes[rows], size)
        return Pairs(clipped, best, labels[order], rows)

    def kept(self, found: Pairs) -> Tensor:
        """Rows of `found` that stay, the highest score first."""
        if not self.decoding.suppresses:
            return torch.arange(min(len(found.rows), self.decoding.most), device=found.rows.device)
        kept: Tensor = batched_nms(found.boxes, found.scores, found.labels, self.decoding.nms_iou)
        return kept[: self.decoding.most]


def _many_boxes(output: Tensor) -> bool:
    return output.ndim == 3 and output.shape[-1] == 4


def candidates(
    outputs: tuple[Tensor, ...],
    decoding: Decoding,
    size: tuple[int, int],
    names: Sequence[str] = (),
) -> tuple[Tensor, Tensor, Tensor | None]:
    """All boxes of one image, before any score is compared.

    Args:
        outputs: Without the batch.
        decoding: How they are to be read.
        size: Height and width of the network's input.
        names: Of the outputs.

    Returns:
        Boxes (A, 4), scores (A, K) of the classes, and None; or scores (A,) and labels (A,).

    Raises:
        ExplorerError: The outputs are not of that form.
    """
    match decoding.form:
        case "yolov5":
            one = _only(outputs, decoding)
            return _corners(one[:, :4]), one[:, 4:5] * _classes(one[:, 5:], decoding), None
        case "yolov8":
            one = _only(outputs, decoding).T
            return _corners(one[:, :4]), _classes(one[:, 4:], decoding), None
        case "yolox":
            one = _only(outputs, decoding)
            places, strides = grid(size, len(one))
            places, strides = places.to(one.device), strides.to(one.device)
            centers = (one[:, :2] + places) * strides
            sides = one[:, 2:4].clamp(max=LARGEST_LOG).exp() * strides
            boxes = _corners(torch.cat([centers, sides], 1))
            return boxes, one[:, 4:5] * _classes(one[:, 5:], decoding), None
        case "end-to-end":
            one = _only(outputs, decoding)
            return one[:, :4], one[:, 4], one[:, 5].long() + 1 - decoding.first_label
        case "ssd":
            boxes, columns, _ = roles(outputs, names)
            if columns is None:
                raise _other(outputs, decoding)
            return _placed(boxes, decoding, size), columns[:, 1:].float(), None
        case "detr":
            boxes, logits, _ = roles(outputs, names)
            if logits is None:
                raise _other(outputs, decoding)
            best, labels = logits.softmax(-1)[:, :-1].max(1)
            placed = _placed(boxes, Decoding("detr", "cxcywh", unit=True), size)
            return placed, best, labels + 1
        case _:
            boxes, sure, told = roles(outputs, names)
            if sure is None or told is None:
                raise _other(outputs, decoding)
            numbers = told.round().long() + 1 - decoding.first_label
            return _placed(boxes, decoding, size), sure.float(), numbers


def grid(size: tuple[int, int], count: int) -> tuple[Tensor, Tensor]:
    """Column and row (count, 2) and stride (count, 1) of every cell of YOLOX's maps.

    Raises:
        ExplorerError: The strides 8, 16, 32 (and 64) do not give as many cells.
    """
    for strides in (STRIDES, (*STRIDES, 64)):
        maps = [(size[0] // stride, size[1] // stride, stride) for stride in strides]
        if sum(rows * columns for rows, columns, _ in maps) == count:
            break
    else:
        raise ExplorerError(
            f"{count} boxes do not stand on the cells of a {size[1]} x {size[0]} input.",
            "Give the input size that the network was exported for.",
        )
    places, sides = [], []
    for rows, columns, stride in maps:
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        places.append(torch.stack([x, y], -1).reshape(-1, 2).float())
        sides.append(torch.full((rows * columns, 1), float(stride)))
    return torch.cat(places), torch.cat(sides)


def roles(
    outputs: tuple[Tensor, ...], names: Sequence[str]
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Which outputs of one image are the boxes (A, 4), the scores and the labels (A,).

    Raises:
        ExplorerError: None of them has boxes.
    """
    named = [name.lower() for name in names] + [""] * (len(outputs) - len(names))
    boxes = next(
        (at for at, one in enumerate(outputs) if one.ndim == 2 and one.shape[1] == 4), None
    )
    if boxes is None:
        raise ExplorerError(
            "None of the outputs holds boxes of four numbers.", "Choose another form or task."
        )
    count = len(outputs[boxes])
    rest = [at for at, one in enumerate(outputs) if at != boxes and one.ndim and len(one) == count]
    labels = next((at for at in rest if _is_labels(outputs[at], named[at])), None)
    scores = next((at for at in rest if at != labels and outputs[at].is_floating_point()), None)
    return (
        outputs[boxes],
        None if scores is None else outputs[scores],
        None if labels is None else outputs[labels],
    )


def _is_labels(output: Tensor, name: str) -> bool:
    told = "label" in name or "classes" in name
    return output.ndim == 1 and (told or not output.is_floating_point())


def _only(outputs: tuple[Tensor, ...], decoding: Decoding) -> Tensor:
    one = next((output for output in outputs if output.ndim == 2), None)
    if one is None or min(one.shape) < 5:
        raise _other(outputs, decoding)
    return one


def _classes(numbers: Tensor, decoding: Decoding) -> Tensor:
    return numbers[:, : decoding.classes] if decoding.classes else numbers


def _corners(boxes: Tensor) -> Tensor:
    corners: Tensor = box_convert(boxes.float(), "cxcywh", "xyxy")
    return corners


def _placed(boxes: Tensor, decoding: Decoding, size: tuple[int, int]) -> Tensor:
    """Boxes as x0, y0, x1, y1 in pixels."""
    placed = boxes.float()
    if decoding.order == "yxyx":
        placed = placed[:, [1, 0, 3, 2]]
    elif decoding.order == "cxcywh":
        placed = _corners(placed)
    if decoding.unit:
        height, width = size
        placed = placed * placed.new_tensor([width, height, width, height])
    return placed


def _other(outputs: tuple[Tensor, ...], decoding: Decoding) -> ExplorerError:
    shapes = ", ".join(str(tuple(output.shape)) for output in outputs)
    return ExplorerError(
        f"Outputs of the sizes {shapes} are not detections of the form {decoding.form}.",
        f"Choose another form: {', '.join(FORMS)}.",
    )


def likely_form(
    shapes: Sequence[tuple[int, ...]], names: Sequence[str], size: tuple[int, int]
) -> Form | None:
    """The form of a detector's outputs; None where they are not those of a detector.

    Args:
        shapes: Of all outputs, with the batch.
        names: Of the outputs.
        size: Height and width of the input.
    """
    lower = [name.lower() for name in names]
    boxes = next(
        (at for at, one in enumerate(shapes) if one[-1:] == (4,) and len(one) in (2, 3)), None
    )
    if boxes is not None and len(shapes) > 1:
        rank, count = len(shapes[boxes]), shapes[boxes][-2]
        others = [one for at, one in enumerate(shapes) if at != boxes]
        if sum(len(one) == rank - 1 for one in others) >= 2:
            return "boxes"
        if any(len(one) == rank and one[-2] == count for one in others):
            told = any("logit" in name or name == "pred_boxes" for name in lower)
            return "detr" if told else "ssd"
    if len(shapes[0]) != 3 or (len(shapes) > 1 and not _with_masks(shapes)):
        return None
    _, first, last = shapes[0]
    cells = {sum((size[0] // s) * (size[1] // s) for s in s_) for s_ in (STRIDES, (*STRIDES, 64))}
    if first in cells and last >= 6:
        return "yolox"
    if first in {3 * count for count in cells} and last >= 6:
        return "yolov5"
    if last in cells and first >= 5:
        return "yolov8"
    if last == 6 and 10 <= first <= 1000:
        return "end-to-end"
    return None


def _with_masks(shapes: Sequence[tuple[int, ...]]) -> bool:
    """YOLO's masks: a fourth axis; or the maps that the exporter left in."""
    return all(len(one) in (4, 5) for one in shapes[1:])
