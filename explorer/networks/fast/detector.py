"""The same steps of torchvision's detectors in less time, for copies used for inference only.

Every part takes the place of torchvision's own and gives the same numbers: anchors exactly, the
rest but for rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign

from explorer.networks.embedded.lite_rcnn import AlignedRoIAlign
from explorer.networks.fast.boxes import best_boxes_of

MOST_SIZES = 4
"""Of pictures, whose anchors are kept."""

MOST_PRODUCTS = 2_000_000
"""Numbers between the two products of `ProductRoIAlign`; above, memory makes them slower."""

_Target = dict[str, Tensor]


def hasten(module: nn.Module) -> None:
    """Changes the parts of a detector that are torchvision's own; other modules stay as they are.

    A picture is resized before its colors are normalized (both are linear, and it gets smaller),
    anchors are kept between frames, small feature maps are pooled by matrix products, and an SSD
    sorts the boxes of all classes at once.
    """
    for name, part in list(module.named_modules()):
        if type(part) in (AnchorGenerator, DefaultBoxGenerator):
            above, _, last = name.rpartition(".")
            setattr(module.get_submodule(above), last, KeptAnchors(part))
        elif type(part) is GeneralizedRCNNTransform:
            part.__class__ = ResizeFirst
        elif type(part) in _PRODUCTS:
            part.__class__ = _PRODUCTS[type(part)]
    best_boxes_of(module)


class KeptAnchors(nn.Module):
    """Anchors are the same for every frame of one size."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self._kept: dict[tuple[Any, ...], list[Tensor]] = {}

    def forward(self, images: Any, maps: list[Tensor]) -> list[Tensor]:
        """As the generator: an `ImageList` and its feature maps -> (A, 4) xyxy for each image."""
        key = (
            images.tensors.shape, tuple(images.image_sizes),
            *((values.shape, values.dtype, values.device) for values in maps),
        )  # fmt: skip
        found = self._kept.get(key)
        if found is None:
            found = self.generator(images, maps)
            while len(self._kept) >= MOST_SIZES:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = found
        return list(found)


class ResizeFirst(GeneralizedRCNNTransform):  # type: ignore[misc]
    """Resizes, then normalizes."""

    def normalize(self, image: Tensor) -> Tensor:
        return image

    def resize(self, image: Tensor, target: _Target | None = None) -> tuple[Tensor, _Target | None]:
        image, target = super().resize(image, target)
        return super().normalize(image), target


class ProductRoIAlign(MultiScaleRoIAlign):  # type: ignore[misc]
    """RoIAlign of one image as two matrix products, while the maps are small.

    Bilinear interpolation at a grid of points is separable: with the weights of every column of
    bins (R, S, W) and of every row (R, S, H) the pooled map is rows . map . columns (He et al.
    2017, section 3). `explorer.vision.detection.roi` does it place by place, to be shown.
    """

    aligned = False

    def forward(
        self,
        x: dict[str, Tensor],
        boxes: list[Tensor],
        image_shapes: list[tuple[int, int]],
    ) -> Tensor:
        maps = [values for name, values in x.items() if name in self.featmap_names]
        bins, ratio = self.output_size, self.sampling_ratio
        most = len(boxes[0]) * bins[0] * max(m.shape[1] * m.shape[3] for m in maps)
        kinds = {(values.device.type, values.dtype) for values in (*maps, *boxes)}
        plain = kinds == {("cpu", torch.float32)}  # a GPU pools in one kernel
        # The scales of the maps are not known before torchvision's own has run on a picture.
        if len(boxes) > 1 or ratio < 1 or most > MOST_PRODUCTS or not plain or self.scales is None:
            as_it_was: Tensor = super().forward(x, boxes, image_shapes)
            return as_it_was
        if len(maps) == 1:
            return pooled(maps[0], boxes[0], self.scales[0], bins, ratio, aligned=self.aligned)
        levels = self.map_levels(boxes)
        found = maps[0].new_zeros((len(boxes[0]), maps[0].shape[1], *bins))
        for level, (values, scale) in enumerate(zip(maps, self.scales, strict=True)):
            rows = torch.where(levels == level)[0]
            found[rows] = pooled(values, boxes[0][rows], scale, bins, ratio, aligned=self.aligned)
        return found


class ProductAlignedRoIAlign(ProductRoIAlign, AlignedRoIAlign):
    """The same with the half cell taken off."""

    aligned = True


_PRODUCTS = {MultiScaleRoIAlign: ProductRoIAlign, AlignedRoIAlign: ProductAlignedRoIAlign}


def pooled(
    values: Tensor,
    boxes: Tensor,
    scale: float,
    bins: tuple[int, int],
    ratio: int,
    *,
    aligned: bool = False,
) -> Tensor:
    """As `torchvision.ops.roi_align`.

    Args:
        values: (1, C, H, W) features.
        boxes: (R, 4) xyxy in the image.
        scale: Of the features' cells per image pixel.
        bins: Rows and columns.
        ratio: Points per bin in each direction.
        aligned: The value of a cell stands at its middle, and boxes may be narrower than a cell.

    Returns:
        (R, C, rows, columns).
    """
    count, height, width = values.shape[1:]
    rows, columns = (
        _weights(boxes[:, i] * scale, boxes[:, i + 2] * scale, size, number, ratio, aligned=aligned)
        for i, size, number in ((1, height, bins[0]), (0, width, bins[1]))
    )
    flat = values[0].permute(1, 2, 0).reshape(height, width * count)
    between = (rows.flatten(0, 1) @ flat).view(len(boxes), bins[0], width, count)
    return (columns[:, None] @ between).permute(0, 3, 1, 2)


def _weights(
    low: Tensor, high: Tensor, size: int, bins: int, ratio: int, *, aligned: bool
) -> Tensor:
    """(R, bins, size): how much every cell of a map's side counts in every bin."""
    start = low - 0.5 if aligned else low
    span = high - low if aligned else (high - low).clamp(min=1.0)
    steps = (torch.arange(bins * ratio, device=low.device) + 0.5) / (bins * ratio)
    at = start[:, None] + span[:, None] * steps.to(low.dtype)
    inside = (at >= -1) & (at <= size)
    cells = torch.arange(size, device=low.device, dtype=low.dtype)
    near = (1 - (at.clamp(0, size - 1)[..., None] - cells).abs()).clamp(min=0)
    return (near * inside[..., None]).view(len(low), bins, ratio, size).mean(dim=2)
