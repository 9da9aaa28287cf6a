"""The losses of YOLO v1 and v2: of each cell's predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_iou

from explorer.networks.embedded.yolo import boxes_apart

if TYPE_CHECKING:
    from explorer.networks.embedded.yolo import YOLOv1, YOLOv2

COORDINATES, NO_OBJECT = 5.0, 0.5
"""Weights of the boxes, and of the confidence where nothing is (Redmon et al. 2016, section 2)."""

IGNORED = 0.6
"""A box with a larger IoU with an object gets no no-object loss (YOLO v2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The M objects of a batch of pictures.

    Attributes:
        picture: (M,) int64: in which one each is.
        boxes: (M, 4) float32 x0, y0, x1, y1 as parts of the picture's width and height.
        classes: (M,) int64: what it should be called, a label or a word.
        unknown: For every picture (K, 4) regions, likewise in parts: it is not known what is there.
        shown: Pairs of a picture and a word that is somewhere in it; there is no box.
    """

    picture: Tensor
    boxes: Tensor
    classes: Tensor
    unknown: tuple[Tensor, ...] = ()
    shown: tuple[tuple[int, int], ...] = ()

    @property
    def middle(self) -> Tensor:
        """(M, 2)."""
        return (self.boxes[:, :2] + self.boxes[:, 2:]) / 2

    @property
    def sides(self) -> Tensor:
        """(M, 2) width and height."""
        return self.boxes[:, 2:] - self.boxes[:, :2]

    def cells(self, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
        """Row and column (M,) of the cell with the middle, and where in the cell (M, 2) it is."""
        place = self.middle * self.middle.new_tensor([columns, rows])
        column = place[:, 0].long().clamp(0, columns - 1)
        row = place[:, 1].long().clamp(0, rows - 1)
        return row, column, place - torch.stack([column, row], dim=1)

    def known(self, count: int, rows: int, columns: int) -> Tensor:
        """(count, rows, columns) bool: False for cells whose middle is in a region of `unknown`."""
        found = torch.ones(count, rows, columns, dtype=torch.bool, device=self.boxes.device)
        x, y = ((torch.arange(n, device=self.boxes.device) + 0.5) / n for n in (columns, rows))
        for picture, regions in enumerate(self.unknown):
            for x0, y0, x1, y1 in regions.tolist():
                inside = (x >= x0) & (x <= x1) & ((y >= y0) & (y <= y1))[:, None]
                found[picture] &= ~inside
        return found


@dataclass(frozen=True, slots=True, eq=False)
class V1Terms:
    """The five sums of equation 3 of Redmon et al. 2016, without their weights.

    Of the boxes of the cell with an object's middle, the one that overlaps it most is responsible
    for it: it is trained on the object's place, with its IoU as the confidence. All other boxes
    are trained on a confidence of 0. The cell is trained on the object's class.

    Attributes:
        center: Squared differences of x and y within the cell.
        size: Those of the square roots of width and height.
        confidence: Those of the confidence of the responsible boxes and their IoU.
        no_object: Squared confidences of all other boxes.
        classes: Squared differences of the class probabilities of the cells with an object.
        row: (M,) int64, the cell of each object.
        column: (M,) int64.
        overlaps: (M, B) IoU of the boxes of this cell with the object.
        responsible: (M,) int64, the box with the largest one.
    """

    center: Tensor
    size: Tensor
    confidence: Tensor
    no_object: Tensor
    classes: Tensor
    row: Tensor
    column: Tensor
    overlaps: Tensor
    responsible: Tensor


def v1_terms(model: YOLOv1, numbers: Tensor, truth: Truth) -> V1Terms:
    """Equation 3, term by term.

    Args:
        model: For its formulas.
        numbers: (N, S, S, B 5 + C), of `predict`.
        truth: Its classes are labels from 1 on.
    """
    count, rows, columns = numbers.shape[:3]
    row, column, inside = truth.cells(rows, columns)
    own = boxes_apart(numbers, model.boxes)
    here = truth.picture, row, column
    overlaps = _paired_iou(model.boxes_of(numbers)[here], truth.boxes[:, None]).detach()
    best, responsible = overlaps.max(dim=1)
    mine = own[*here, responsible]
    taken = torch.zeros(count, rows, columns, model.boxes, dtype=torch.bool, device=numbers.device)
    taken[*here, responsible] = True
    nothing = ~taken & truth.known(count, rows, columns)[..., None]
    wanted = functional.one_hot(truth.classes - 1, model.num_classes - 1)
    return V1Terms(
        center=((mine[:, :2] - inside) ** 2).sum(),
        size=((mine[:, 2:4] - truth.sides.sqrt()) ** 2).sum(),
        confidence=((mine[:, 4] - best) ** 2).sum(),
        no_object=(own[..., 4][nothing] ** 2).sum(),
        classes=((numbers[here][:, 5 * model.boxes :] - wanted) ** 2).sum(),
        row=row,
        column=column,
        overlaps=overlaps,
        responsible=responsible,
    )


def v1_losses(model: YOLOv1, numbers: Tensor, truth: Truth) -> dict[str, Tensor]:
    """The weighted sums of `v1_terms` per object, under three names."""
    terms = v1_terms(model, numbers, truth)
    many = max(1, len(truth.boxes))
    return {
        "boxes": COORDINATES * (terms.center + terms.size) / many,
        "confidence": (terms.confidence + NO_OBJECT * terms.no_object) / many,
        "classes": terms.classes / many,
    }


def v2_losses(model: YOLOv2, numbers: Tensor, truth: Truth) -> dict[str, Tensor]:
    """What the region layer of YOLO v2 asks for, per object.

    The prior that is most like the object, of the cell with its middle, is responsible. Squared
    differences of sigmoid(tx), sigmoid(ty), tw, th, small objects counting up to twice; the
    objectness should be the overlap of the moved prior with the object, and 0 everywhere else but
    where a box happens to fit (`IGNORED`). For the objectness the loss is the cross entropy,
    which learns faster than the squared difference of the original; for the words it is that of
    the tree, along the way down to the object's.

    What is known to be shown without a box is taught to the prior that finds it most probable
    (section 4, "Joint classification and detection"), its word only: the original takes its box
    for right as well, which here, where few such photos are, is left to those with boxes.

    Args:
        model: For its formulas.
        numbers: (N, rows, columns, priors, 5 + T), of `predict`.
        truth: Its classes are words of the tree.
    """
    rows, columns, priors = numbers.shape[1:4]
    row, column, inside = truth.cells(rows, columns)
    scale = numbers.new_tensor([columns, rows])
    sides = truth.sides * scale
    prior = closest_prior(sides, model.priors)
    here = truth.picture, row, column, prior
    mine = numbers[here]
    many = max(1, len(sides))

    place = (mine[:, :2].sigmoid() - inside) ** 2
    shape = (mine[:, 2:4] - (sides / model.priors[prior]).log()) ** 2
    small = 2 - truth.sides.prod(dim=1)
    boxes = model.boxes_of(numbers.detach())
    wanted = truth.boxes * scale.repeat(2)
    learns = truth.known(len(numbers), rows, columns)[..., None].repeat(1, 1, 1, priors)
    for i in range(len(numbers)):
        objects = wanted[truth.picture == i]
        if len(objects):
            overlap = box_iou(boxes[i].flatten(0, 2), objects).amax(dim=1)
            learns[i] &= (overlap <= IGNORED).view(rows, columns, priors)
    learns[here] = False
    logits = numbers[..., 4]
    nothing = functional.softplus(logits[learns])  # the cross entropy with 0
    best = _paired_iou(boxes[here], wanted)
    entropy = functional.binary_cross_entropy_with_logits
    words = model.tree.loss(mine[:, 5:], truth.classes).sum()
    for picture, word in truth.shown:
        words = words + shown_loss(model, numbers[picture].flatten(0, 2), word)
    return {
        "boxes": (small * (place + shape).sum(dim=1)).sum() / many,
        "objectness": (entropy(mine[:, 4], best, reduction="sum") + nothing.sum()) / many,
        "words": words / many,
    }


def shown_loss(model: YOLOv2, numbers: Tensor, word: int) -> Tensor:
    """The loss of a word at the one of M priors that gives it the highest probability.

    Args:
        model: For its tree.
        numbers: (M, 5 + T), of `predict`.
        word: That is somewhere in the picture.
    """
    sure = numbers[:, 4].detach().sigmoid() * model.tree(numbers[:, 5:].detach())[:, word]
    best = int(sure.argmax())
    wanted = torch.tensor([word], device=numbers.device)
    found: Tensor = model.tree.loss(numbers[best : best + 1, 5:], wanted)[0]
    return found


def closest_prior(sides: Tensor, priors: Tensor) -> Tensor:
    """(M, 2) and (K, 2) widths and heights -> (M,) the prior with the best overlap, if centered."""
    shared = torch.minimum(sides[:, None], priors).prod(dim=2)
    union = sides.prod(dim=1)[:, None] + priors.prod(dim=1) - shared
    return (shared / union).argmax(dim=1)


def _paired_iou(boxes: Tensor, others: Tensor) -> Tensor:
    low = torch.maximum(boxes[..., :2], others[..., :2])
    high = torch.minimum(boxes[..., 2:], others[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(b[..., 2:] - b[..., :2]).clamp(min=0).prod(dim=-1) for b in (boxes, others)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-9)
