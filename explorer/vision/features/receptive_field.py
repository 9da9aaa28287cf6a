"""Which part of the input each cell of a network depends on, and how much.

The **theoretical** field is computed by a forward pass that also replays every operation on
rectangles (`field_rules`), so branches, functional calls and modules that are used twice are as
they run. The **effective** field is the gradient of a cell with respect to the input (Luo et al.
2016, Understanding the Effective Receptive Field).

``fields(vgg16().eval(), batch)["features.28"].of(7, 7)`` is the rectangle of one cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import captured, output_until
from explorer.networks.onnx.runtime import RuntimeModule
from explorer.networks.preprocess import SAME_FRAME, Frame, grid_frame
from explorer.vision.features.activations import (
    RESIZE,
    detector_frame,
    laid_out,
    named_tensors,
)
from explorer.vision.features.field_replay import Replay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

EFFECTIVE = 0.0455
"""Of the largest gradient: what is above belongs to the effective field.

1 - 95.45%, as in Luo et al. 2016, who compare with the gradient in the center.
"""


@dataclass(frozen=True, slots=True, eq=False)
class LayerFields:
    """The theoretical fields of a layer's cells at its first call.

    Attributes:
        xyxy: (h, w, 4) float32: of each cell the smallest rectangle around all input pixels that
            any of its channels depends on, in pixels of the input, cut off at its edges. A cell
            that depends on no pixel has an empty one, 0, 0, 0, 0.
        padded: (h, w) bool: padding of some layer before goes into the cell, too: its field would
            be larger if the photo were.
        spatial: Cells are places: false for vectors, whose field is one rectangle.
        assumed: Names of operations without a rule that ran before: all their outputs were taken to
            depend on all their inputs, so fields may be too large.
    """

    xyxy: NDArray[np.float32]
    padded: NDArray[np.bool_]
    spatial: bool
    assumed: tuple[str, ...]

    def of(self, row: int, column: int) -> tuple[float, float, float, float]:
        x0, y0, x1, y1 = self.xyxy[row, column].tolist()
        return x0, y0, x1, y1

    @property
    def center(self) -> tuple[int, int]:
        """Row and column of the cell in the middle."""
        height, width = self.xyxy.shape[:2]
        return height // 2, width // 2

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the largest field."""
        spans = self.xyxy[..., 2:] - self.xyxy[..., :2]
        return float(spans[..., 0].max()), float(spans[..., 1].max())

    def reached(self, x: float, y: float) -> NDArray[np.bool_]:
        """(h, w): the cells whose field contains the pixel at (x, y), its **projective field**."""
        x0, y0, x1, y1 = np.moveaxis(self.xyxy, -1, 0)
        inside: NDArray[np.bool_] = (x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)
        return inside


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """Of all layers that ran as modules, in the network's order.

    Attributes:
        layers: By name.
        size: Height and width of the input that fields are rectangles of. Of torchvision's
            detectors it is the picture as their transform resized and padded it.
        frame: From the picture's pixels to those of this input.
        batch: Height and width of what the cells of a map divide: another than `size` where a
            detector of another kind resizes its picture.
        to_batch: From the picture's pixels to those of the batch.
        refusal: Why they cannot be worked out for this network; then there are no layers.
    """

    layers: Mapping[str, LayerFields]
    size: tuple[int, int]
    frame: Frame
    batch: tuple[int, int]
    to_batch: Frame
    refusal: ExplorerError | None = None

    @property
    def assumed(self) -> tuple[str, ...]:
        """Of all layers."""
        return tuple(sorted({name for each in self.layers.values() for name in each.assumed}))

    def to_cells(self, layer: str) -> Frame:
        """From the picture's pixels to the cells of a layer."""
        height, width = self[layer].xyxy.shape[:2]
        return self.to_batch.then(grid_frame(self.batch, (height, width)))

    def __getitem__(self, layer: str) -> LayerFields:
        if self.refusal is not None:
            raise self.refusal
        if layer not in self.layers:
            raise ExplorerError(
                f"The layer {layer!r} does not run as a module for this photo.",
                "Choose its parent layer, or another one.",
            )
        return self.layers[layer]


@torch.no_grad()
def fields(module: nn.Module, images: Tensor | list[Tensor]) -> Fields:
    """Runs a module in eval mode on one picture and works out all theoretical fields.

    They depend on the size of the picture, not on its colors.

    Args:
        module: Any module.
        images: What it takes: (1, C, H, W), or a list with one (C, H, W), on its device.
    """
    image = given = images[0] if isinstance(images, list) else images
    size = batch = _sides(given)
    frame = to_batch = SAME_FRAME
    if isinstance(module, RuntimeModule):  # no operation of torch's can be followed
        return Fields({}, size, frame, batch, to_batch, module.refusal("receptive fields"))
    transform: Any = getattr(module, RESIZE, None)
    if isinstance(transform, GeneralizedRCNNTransform):
        resized = transform([given])[0]
        to_batch, batch = detector_frame(resized, size)
        if hasattr(module, "backbone"):
            image, frame, size = resized.tensors, to_batch, batch
    names = [name for name, child in module.named_modules() if name and child is not transform]
    replay = Replay(image)

    def rectangles(tensor: Tensor) -> Tensor:
        return replay.rectangles(tensor, batch)

    with captured(module, names, convert=rectangles) as records, replay:
        if image is given:
            module(images)
        else:
            _through_heads(module, image)
    found = {}
    for name in names:
        parts = named_tensors(records[name][0]) if records[name] else []
        if parts and parts[0][1].numel():
            found[name] = _layer(parts[0][1], replay.assumed)
    return Fields(found, size, frame, batch, to_batch)


def _sides(image: Tensor) -> tuple[int, int]:
    return int(image.shape[-2]), int(image.shape[-1])


def _through_heads(module: Any, batch: Tensor) -> None:
    """Through the backbone and the convolutions behind it of one of torchvision's detectors.

    What comes then chooses among boxes: no cell there has a place.
    """
    maps = module.backbone(batch)
    levels = [maps] if isinstance(maps, Tensor) else list(maps.values())
    (module.rpn.head if hasattr(module, "rpn") else module.head)(levels)


def _layer(packed: Tensor, assumed: Sequence[str]) -> LayerFields:
    x0, y0, x1, y1, around, spatial, before = packed.float().cpu().numpy()
    xyxy = np.stack([-x0, -y0, x1, y1], axis=-1).astype(np.float32)
    xyxy[~np.isfinite(xyxy).all(axis=-1)] = 0.0
    return LayerFields(
        xyxy, around > 0, bool(spatial.flat[0]), tuple(assumed[: int(before.flat[0])])
    )


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveField:
    """How much one unit changes with each pixel of the picture.

    Attributes:
        gradient: (H, W) float32, the largest absolute derivative over the picture's channels.
        channel: Of the unit.
    """

    gradient: NDArray[np.float32]
    channel: int

    @property
    def area(self) -> int:
        """How many pixels have a gradient of more than `EFFECTIVE` of the largest one."""
        values = self.gradient
        return int((values > EFFECTIVE * values.max()).sum()) if values.any() else 0


def effective_field(
    module: nn.Module,
    images: Tensor | list[Tensor],
    layer: str,
    row: int,
    column: int,
    *,
    channel: int | None = None,
) -> EffectiveField:
    """The gradient of one unit with respect to the picture.

    Args:
        module: In eval mode.
        images: As in `fields`.
        layer: The dotted name of one of its modules; its first call counts.
        row: Of the cell.
        column: Of the cell.
        channel: One of the layer's channels, beyond the last = the last; None = the one with the
            largest value in this cell. (The sum of all, as in the paper, has no gradient behind a
            normalization over the channels.)

    Raises:
        ExplorerError: When the layer is unknown, was not called, or does not depend on the picture.
    """
    picture = (images[0] if isinstance(images, list) else images).detach().clone()
    picture.requires_grad_()
    height, width = _sides(picture)
    with torch.enable_grad():
        given = [picture] if isinstance(images, list) else picture
        parts = named_tensors(output_until(module, layer, lambda: module(given)))
        if not parts or not parts[0][1].requires_grad:
            raise ExplorerError(
                f"The layer {layer!r} has no gradient with respect to the photo.",
                "Choose another layer.",
            )
        maps, _ = laid_out(parts[0][1], (height, width))
        cell = maps[:, row, column]
        chosen = int(cell.argmax()) if channel is None else min(channel, len(cell) - 1)
        found: Tensor | None = torch.autograd.grad(cell[chosen], picture, allow_unused=True)[0]
    if found is None:
        return EffectiveField(np.zeros((height, width), np.float32), chosen)
    values = found.detach().abs().reshape(-1, height, width).amax(0).float().cpu().numpy()
    return EffectiveField(values, chosen)
