"""Single-stage detectors in the manner of YOLO v1 and v2, on the body of `lite_fasterrcnn`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import Conv2dNormActivation, batched_nms, clip_boxes_to_image

from explorer.networks.embedded import lite
from explorer.networks.embedded.wordtree import WordTree, flat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchvision.models.detection.image_list import ImageList

MOST = 300
"""How many of the highest-scoring boxes go into the suppression."""

LARGEST_LOG = 4.0
"""A prior grows by at most this power of e."""

Answer = dict[str, Tensor]

_convolution = partial(Conv2dNormActivation, activation_layer=partial(nn.LeakyReLU, 0.1))


MIDDLE, COARSE = (lite.STAGES[number].channels for number in lite.TAPS[1:])
"""Channels of the body's maps of strides 16 and 32."""


class SmoothTransform(GeneralizedRCNNTransform):  # type: ignore[misc]
    """torchvision's own, but a photo that becomes much smaller is smoothed first.

    These networks have small inputs: without it they would sample one pixel of many.
    """

    def resize(
        self, image: Tensor, target: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor] | None]:
        """(3, H, W) -> (3, H', W'); photos only, a target is left as it is."""
        height, width = image.shape[-2:]
        if self.fixed_size is not None:
            size = (self.fixed_size[1], self.fixed_size[0])
        else:
            scale = self.min_size[-1] / min(height, width)
            scale = min(scale, self.max_size / max(height, width))
            size = (max(1, int(height * scale)), max(1, int(width * scale)))
        if size != (height, width):
            image = functional.interpolate(
                image[None], size, mode="bilinear", antialias=size[0] < height
            )[0]
        return image, target


class YOLO(nn.Module):
    """What both have in common: a body, one map of cells, and few boxes of many at the end.

    Attributes:
        stride: Pixels from one cell of the body's coarser map to the next.
        score_thresh: Boxes need a higher score.
        nms_thresh: A box that overlaps a higher-scoring one of its class by more goes.
        detections_per_img: At most this many are kept.
    """

    stride = 32

    def __init__(self, num_classes: int, transform: GeneralizedRCNNTransform) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.transform = transform
        self.body = lite.stages(lite.EfficientNetLite0())
        self.score_thresh = 0.05
        self.nms_thresh = 0.5
        self.detections_per_img = 50

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) normalized -> the body's maps of strides 16 and 32."""
        _, middle, coarse = lite.body_maps(self.body, images)
        return middle, coarse

    def predict(self, features: tuple[Tensor, Tensor]) -> Tensor:
        """The numbers of every cell, float32; see the networks."""
        raise NotImplementedError

    def candidates(self, numbers: Tensor, padded: tuple[int, int]) -> tuple[Tensor, Tensor, Answer]:
        """From the numbers of one picture to boxes.

        Args:
            numbers: Of `predict`, without the batch.
            padded: Height and width of the body's input.

        Returns:
            Boxes (M, 4), their scores (M, num_classes), and what else is known of each.
        """
        raise NotImplementedError

    def forward(self, images: list[Tensor] | Tensor) -> list[Answer]:
        """A list of (3, H, W) RGB in [0, 1] -> for each its `boxes`, `labels` and `scores`.

        Boxes are (N, 4) x0, y0, x1, y1 in pixels of the picture that was given; labels are int64
        from 1 on; the highest score comes first.
        """
        batch, numbers = self.numbers(images)
        padded = padded_size(batch)
        found = []
        for one, size in zip(numbers, batch.image_sizes, strict=True):
            clipped, best, labels, rows, more = self.best_pairs(one, padded, size)
            kept = batched_nms(clipped, best, labels, self.nms_thresh)
            kept = kept[((clipped[kept, 2:] - clipped[kept, :2]) > 1).all(1)]  # not in the padding
            kept = kept[: self.detections_per_img]
            answer = {"boxes": clipped[kept], "labels": labels[kept], "scores": best[kept]}
            found.append(answer | {name: value[rows[kept]] for name, value in more.items()})
        sizes = [(int(image.shape[-2]), int(image.shape[-1])) for image in images]
        answers: list[Answer] = self.transform.postprocess(found, batch.image_sizes, sizes)
        return answers

    def best_pairs(
        self, numbers: Tensor, padded: tuple[int, int], size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Answer]:
        """What goes into the suppression: the best pairs of a box and a class.

        Args:
            numbers: Of `predict`, without the batch.
            padded: Height and width of the body's input.
            size: The same without the padding; boxes are clipped to it.

        Returns:
            Boxes (K, 4), scores (K,), labels (K,), the rows (K,) of `candidates`, and what else is
            known of all candidates.
        """
        boxes, scores, more = self.candidates(numbers, padded)
        rows, labels = torch.where(scores > self.score_thresh)
        best = scores[rows, labels]
        best, order = best.topk(min(MOST, len(best)))
        rows, labels = rows[order], labels[order]
        return clip_boxes_to_image(boxes[rows], size), best, labels, rows, more

    def numbers(self, images: Tensor | list[Tensor]) -> tuple[ImageList, Tensor]:
        """The resized and padded batch, and the output of `predict` for it."""
        batch, _ = self.transform(list(images))
        return batch, self.predict(self.features(batch.tensors))


class YOLOv1(YOLO):
    """S x S x (B 5 + C) numbers (Redmon et al. 2016, "You Only Look Once", section 2).

    Every cell predicts for each of its B boxes the center within the cell, the square roots of
    width and height as parts of the picture, and a confidence; and once for all of them
    class it would be. Unlike the paper's, the map is made by convolutions alone.

    Args:
        num_classes: With the background, which is class 0.
        side: To which every picture is resized, whatever its shape; S = side / `stride`.
        boxes: B.
        width: Channels of the two convolutions on the body.
    """

    def __init__(
        self, num_classes: int, *, side: int = 224, boxes: int = 2, width: int = 256
    ) -> None:
        transform = SmoothTransform(
            side, side, list(lite.MEAN), list(lite.STD),
            size_divisible=self.stride, fixed_size=(side, side),
        )  # fmt: skip
        super().__init__(num_classes, transform)
        self.boxes = boxes
        self.head = nn.Sequential(_convolution(COARSE, width, 3), _convolution(width, width, 3))
        self.predictor = nn.Conv2d(width, boxes * 5 + num_classes - 1, 1)
        # At first in the middle of the cell, a third of the picture wide and high, confidence low.
        classes = [1 / (num_classes - 1)] * (num_classes - 1)
        _begin(self.predictor, [0.5, 0.5, 0.57, 0.57, 0.05] * boxes + classes)

    def predict(self, features: tuple[Tensor, Tensor]) -> Tensor:
        """-> (N, S, S, B 5 + C): per box x, y, sqrt w, sqrt h and confidence; then the classes.

        Plain numbers as in the paper: nothing keeps them in [0, 1] but what they learned.
        """
        numbers: Tensor = self.predictor(self.head(features[1])).permute(0, 2, 3, 1).float()
        return numbers

    def boxes_of(self, numbers: Tensor) -> Tensor:
        """(…, S, S, B 5 + C) -> (…, S, S, B, 4) x0, y0, x1, y1 as parts of the picture."""
        rows, columns = numbers.shape[-3:-1]
        own = boxes_apart(numbers, self.boxes)
        x = (own[..., 0] + torch.arange(columns, device=own.device)[:, None]) / columns
        y = (own[..., 1] + torch.arange(rows, device=own.device)[:, None, None]) / rows
        half = own[..., 2:4] ** 2 / 2
        middle = torch.stack([x, y], dim=-1)
        return torch.cat([middle - half, middle + half], dim=-1)

    def candidates(self, numbers: Tensor, padded: tuple[int, int]) -> tuple[Tensor, Tensor, Answer]:
        """See `YOLO`: a score is the box's confidence times its cell's class (equation 1)."""
        height, width = padded
        boxes = self.boxes_of(numbers) * numbers.new_tensor([width, height, width, height])
        sure = numbers[..., 4 : 5 * self.boxes : 5, None].clamp(0, 1)
        scores = sure * numbers[..., None, 5 * self.boxes :].clamp(0, 1)
        return boxes.flatten(0, 2), functional.pad(scores.flatten(0, 2), (1, 0)), {}


class YOLOv2(YOLO):
    """Priors in every cell and a tree of words (Redmon & Farhadi 2017, "YOLO9000").

    The body's finer map goes in too, four neighbors stacked ("passthrough", section 2).
    Outputs have two more entries: `words` (N,), where the descent through `tree` stopped (-1 = at
    once), and `word_scores` (N,).

    Args:
        num_classes: With the background, which is class 0; more if the tree has more labels.
        priors: Width and height of each in cells.
        words: See `WordTree`; all three or none of them: then every class is a word.
        parents: See `WordTree`.
        labels: See `WordTree`.
        side: Long side of the body's input, in pixels.
        width: Channels of the convolutions on the body.
        fine: Channels of the finer map before its neighbors are stacked.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        priors: Sequence[Sequence[float]],
        words: Sequence[str] = (),
        parents: Sequence[int] = (),
        labels: Sequence[int] = (),
        side: int = 416,
        width: int = 160,
        fine: int = 32,
    ) -> None:
        tree = WordTree(words, parents, labels) if words else flat(num_classes)
        super().__init__(
            max(num_classes, max(tree.labels) + 1),
            SmoothTransform(side, side, list(lite.MEAN), list(lite.STD)),
        )
        self.tree = tree
        self.least = 0.5
        """A descent continues while a word has this probability, given that it is an object."""
        self.priors: Tensor
        self.register_buffer("priors", torch.tensor(priors, dtype=torch.float32))
        self.passthrough = _convolution(MIDDLE, fine, 1)
        self.stack = nn.PixelUnshuffle(2)
        self.head = nn.Sequential(
            _convolution(COARSE + 4 * fine, width, 1),
            _convolution(width, width, 3),
            _convolution(width, width, 3),
        )
        self.predictor = nn.Conv2d(width, len(priors) * (5 + len(self.tree)), 1)
        # Objects are rare.
        _begin(self.predictor, ([0.0] * 4 + [-4.0] + [0.0] * len(self.tree)) * len(priors))

    def predict(self, features: tuple[Tensor, Tensor]) -> Tensor:
        """-> (N, rows, columns, priors, 5 + T): tx, ty, tw, th, to and the words' logits."""
        fine, coarse = features
        both = torch.cat([self.stack(self.passthrough(fine)), coarse], dim=1)
        numbers: Tensor = self.predictor(self.head(both)).permute(0, 2, 3, 1).float()
        return numbers.reshape(*numbers.shape[:3], len(self.priors), -1)

    def boxes_of(self, numbers: Tensor) -> Tensor:
        """(…, rows, columns, priors, 4 or more) -> (…, 4) x0, y0, x1, y1 in cells.

        x = sigmoid(tx) + column, w = prior's w times exp(tw); section 2, "Direct location
        prediction".
        """
        rows, columns = numbers.shape[-4:-2]
        x = numbers[..., 0].sigmoid() + torch.arange(columns, device=numbers.device)[:, None]
        y = numbers[..., 1].sigmoid() + torch.arange(rows, device=numbers.device)[:, None, None]
        half = self.priors * numbers[..., 2:4].clamp(max=LARGEST_LOG).exp() / 2
        middle = torch.stack([x, y], dim=-1)
        return torch.cat([middle - half, middle + half], dim=-1)

    def candidates(self, numbers: Tensor, padded: tuple[int, int]) -> tuple[Tensor, Tensor, Answer]:
        """See `YOLO`: a score is the objectness times the sum of the class's leaves."""
        objectness = numbers[..., 4].sigmoid().flatten()
        boxes = self.stride * self.boxes_of(numbers).flatten(0, 2)
        # No score is above the objectness: the tree is asked for the others only.
        rows = torch.where(objectness > self.score_thresh)[0]
        probable = self.tree(numbers.flatten(0, 2)[rows, 5:])
        sure = objectness[rows]
        scores = sure[:, None] * self.tree.per_label(probable, self.num_classes)
        words = self.tree.descend(probable, self.least)
        beside = probable.gather(1, words.clamp(min=0)[:, None])[:, 0]
        word_scores = sure * torch.where(words < 0, 1.0, beside)
        return boxes[rows], scores, {"words": words, "word_scores": word_scores}


def boxes_apart(numbers: Tensor, boxes: int) -> Tensor:
    """The first B 5 of (…, B 5 + C) numbers -> (…, B, 5)."""
    return numbers[..., : 5 * boxes].reshape(*numbers.shape[:-1], boxes, 5)


@torch.no_grad()
def _begin(layer: nn.Conv2d, bias: Sequence[float]) -> None:
    nn.init.normal_(layer.weight, std=0.01)
    assert layer.bias is not None
    layer.bias.copy_(torch.tensor(bias))


def padded_size(batch: ImageList) -> tuple[int, int]:
    """Height and width of the body's input."""
    height, width = batch.tensors.shape[-2:]
    return int(height), int(width)


def lite_yolo_v1(num_classes: int, **options: Any) -> YOLOv1:
    """S = 7; 30 numbers a cell for 20 classes; see `YOLOv1`."""
    return YOLOv1(num_classes, **options)


def lite_yolo_v2(num_classes: int, **options: Any) -> YOLOv2:
    """13 x 13 cells of a square picture; see `YOLOv2`."""
    return YOLOv2(num_classes, **options)
