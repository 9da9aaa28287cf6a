"""One layer's output for a photo, as maps with their place on it.

``activation(resnet18().eval(), batch, "layer3").values`` are the maps that ``layer3`` gives for the
one picture of ``batch`` (1, 3, H, W); its ``frame`` leads from the picture's pixels to their cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import captured, input_until
from explorer.networks.preprocess import SAME_FRAME, Frame, grid_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

RESIZE = "transform"
"""The part of torchvision's detectors that resizes and pads the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """What one call of one layer gave.

    Attributes:
        values: (C, h, w) float32; a vector of C numbers is (C, 1, 1).
        frame: From the photo's pixels to the cells of `values`, or None where a cell is not a
            place of the photo (vectors, the RoI crops inside a detector's heads).
        shape: Of the layer's own tensor.
        calls: How often the layer was called; `call` is the one shown.
        parts: Names of the tensors in its output (one entry "" for a plain tensor); `part` is
        shown.
        items: Size of the tensor's batch (RoIs of a detector's head); `item` is shown.
    """

    values: NDArray[np.float32]
    frame: Frame | None
    shape: tuple[int, ...]
    calls: int
    call: int
    parts: tuple[str, ...]
    part: int
    items: int
    item: int


@torch.no_grad()
def activation(
    module: nn.Module,
    images: Tensor | list[Tensor],
    layer: str,
    *,
    frame: Frame = SAME_FRAME,
    call: int = 0,
    part: int = 0,
    item: int = 0,
) -> Activation:
    """Runs a module in eval mode on one picture and keeps what `layer` gave.

    Args:
        module: Any module.
        images: What it takes: (1, C, H, W), or a list with one (C, H, W), on its device.
        layer: The dotted name of one of its modules.
        frame: From the photo's pixels to those of the picture.
        call: Which call of a layer that is used several times; beyond the last = the last.
        part: Which tensor of an output that has several; as `call`.
        item: Which entry of the tensor's batch; as `call`.

    Raises:
        ExplorerError: When the layer is unknown, was not called, or gave no tensor.
    """
    with captured(module, layers_read(module, layer)) as records:
        module(images)
    height, width = images[0].shape[-2:]
    return recorded_activation(
        records, layer, (height, width), frame, call=call, part=part, item=item
    )


@dataclass(frozen=True, slots=True, eq=False)
class LayerInput:
    """What a layer was given at one of its calls, and where that lies on the photo.

    Attributes:
        layer: Its name.
        values: Its first argument, entry 0 of `items` in the batch: (1, C, H, W) of a convolution.
        size: Height and width of the picture.
        frame: From the photo's pixels to those of the picture.
        resized: The record of what a detector made of the picture before, by `RESIZE`.
    """

    layer: str
    values: Tensor
    size: tuple[int, int]
    frame: Frame
    resized: Mapping[str, Sequence[Any]]
    items: int

    def placed(self, tensor: Tensor) -> Activation:
        """Maps that were computed from `values`, or they themselves, with their place."""
        records = {**self.resized, self.layer: [tensor]}
        found = recorded_activation(records, self.layer, self.size, self.frame)
        return found if self.items == 1 else replace(found, frame=None)


@torch.no_grad()
def layer_input(
    module: nn.Module,
    images: Tensor | list[Tensor],
    layer: str,
    *,
    frame: Frame = SAME_FRAME,
    call: int = 0,
) -> LayerInput:
    """Runs a module in eval mode on one picture up to `layer`, which does not run any more.

    Args:
        module: Any module.
        images: What it takes, as in `activation`.
        layer: The dotted name of one of its modules.
        frame: From the photo's pixels to those of the picture.
        call: Which call of a layer that is used several times; beyond the last = the last.

    Raises:
        ExplorerError: When the layer is unknown, was not called, or was given no tensor.
    """
    before = [name for name in layers_read(module, layer) if name != layer]
    with captured(module, before) as records:
        values = input_until(module, layer, lambda: module(images), call=call)
    if not isinstance(values, Tensor) or values.numel() == 0:
        raise ExplorerError(
            f"The layer {layer!r} has an empty input for this photo.", "Choose another layer."
        )
    height, width = images[0].shape[-2:]
    items = values.shape[0] if values.ndim > 1 else 1
    return LayerInput(layer, values[:1], (height, width), frame, dict(records), items)


def layers_read(module: nn.Module, layer: str) -> list[str]:
    """The layers whose records `recorded_activation` needs for the output of `layer`."""
    resizes = isinstance(getattr(module, RESIZE, None), GeneralizedRCNNTransform)
    return list(dict.fromkeys([layer, RESIZE] if resizes else [layer]))


def recorded_activation(
    records: Mapping[str, Sequence[Any]],
    layer: str,
    size: tuple[int, int],
    frame: Frame = SAME_FRAME,
    *,
    call: int = 0,
    part: int = 0,
    item: int = 0,
) -> Activation:
    """What `layer` gave, from the records of a forward pass (`explorer.networks.hooks.captured`).

    Args:
        records: Of `layers_read` at least.
        layer: As in `activation`.
        size: Height and width of the picture.
        frame: From the photo's pixels to those of the picture.
        call: As in `activation`.
        part: As in `activation`.
        item: As in `activation`.

    Raises:
        ExplorerError: When the layer was not called, or gave no tensor.
    """
    calls = records[layer]
    if not calls:
        raise ExplorerError(
            f"The layer {layer!r} does not run as a module for this photo.",
            "Choose its parent layer, or another one.",
        )
    call = min(call, len(calls) - 1)
    tensors = named_tensors(calls[call])
    if not tensors:
        raise ExplorerError(f"The layer {layer!r} does not output tensors.", "Choose another.")
    part = min(part, len(tensors) - 1)
    tensor = tensors[part][1]
    source = size
    resized = [answer for answer in records.get(RESIZE, ()) if _is_batch(answer)]
    if resized:
        inner, source = detector_frame(resized[0][0], size)
        frame = frame.then(inner)
    items = tensor.shape[0] if tensor.ndim > 1 else 1
    values, spatial = as_maps(tensor, source, min(item, max(0, items - 1)))
    on_photo = spatial and items == 1 and not layer.startswith("roi_heads")
    return Activation(
        values=values,
        frame=frame.then(grid_frame(source, values.shape[1:])) if on_photo else None,
        shape=tuple(tensor.shape),
        calls=len(calls),
        call=call,
        parts=tuple(name for name, _ in tensors),
        part=part,
        items=items,
        item=min(item, max(0, items - 1)),
    )


def _is_batch(answer: Any) -> bool:
    """Whether this is what `GeneralizedRCNNTransform` gives: images and targets."""
    return isinstance(answer, tuple) and len(answer) > 0 and isinstance(answer[0], ImageList)


def detector_frame(batch: Any, size: tuple[int, int]) -> tuple[Frame, tuple[int, int]]:
    """What torchvision's detectors do to their input before the backbone.

    `GeneralizedRCNNTransform` resizes the picture and then pads the batch with zeros at the right
    and at the bottom up to a multiple of 32, so a feature map lies over more than the picture.

    Args:
        batch: Its `ImageList`: `tensors` (1, C, H, W) is the padded batch, `image_sizes` holds the
            resized height and width without the padding.
        size: Height and width of the detector's input.

    Returns:
        The map from the input's pixels to the batch's pixels, and the batch's (H, W).
    """
    height, width = batch.image_sizes[0]
    padded = batch.tensors.shape[-2:]
    return Frame(width / size[1], height / size[0]), (int(padded[0]), int(padded[1]))


def named_tensors(value: Any, name: str = "", depth: int = 6) -> list[tuple[str, Tensor]]:
    """All tensors in nested lists, tuples and dicts with the words that lead to them ("0.out").

    Of a detector's `ImageList` the padded batch counts.
    """
    if isinstance(value, ImageList):
        value = value.tensors
    if isinstance(value, Tensor):
        return [(name, value)]
    if depth == 0:
        return []
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, (list, tuple)):
        entries = list(enumerate(value))
    found = []
    for key, entry in entries:
        found += named_tensors(entry, f"{name}.{key}" if name else str(key), depth - 1)
    return found


def as_maps(
    tensor: Tensor, source: tuple[int, int], item: int = 0
) -> tuple[NDArray[np.float32], bool]:
    """As `laid_out`, in an array."""
    maps, spatial = laid_out(tensor, source, item)
    array: NDArray[np.float32] = maps.float().contiguous().cpu().numpy()
    return array, spatial


def laid_out(tensor: Tensor, source: tuple[int, int], item: int = 0) -> tuple[Tensor, bool]:
    """Entry `item` of a layer's tensor as (C, h, w) maps, and whether h x w are places.

    (N, C, h, w) is taken as it is; (N, h, w, C) is recognized by which pair of sides has the
    proportions of the `source` (H, W). The tokens of a transformer (N, L, C) are laid out in rows
    when L, or L without one class token in front, fills a grid of those proportions; otherwise
    they are one row. (N, C) is C maps of one cell.
    """
    shape = tensor.shape
    if tensor.numel() == 0:
        raise ExplorerError("This layer's output is empty for this photo.", "Choose another.")
    one = tensor[item] if tensor.ndim > 1 else tensor
    spatial = False
    match tensor.ndim:
        case 0 | 1 | 2:
            maps = one.reshape(-1, 1, 1)
        case 3:
            tokens = one if (grid := token_grid(shape[1], source)) else one[1:]
            grid = grid or token_grid(shape[1] - 1, source)
            spatial = grid is not None
            maps = tokens.T.reshape(-1, *grid) if grid else one.T[:, None]
        case 4:
            maps = one.permute(2, 0, 1) if channels_last(shape, source) else one
            spatial = maps.shape[1] * maps.shape[2] > 1
        case _:
            maps = one.reshape(one.shape[0], -1, one.shape[-1])
    return maps, spatial


def channels_last(shape: tuple[int, ...], source: tuple[int, int]) -> bool:
    """True when (N, h, w, C) fits the proportions of `source` better than (N, C, h, w)."""

    def misfit(height: int, width: int) -> float:
        return abs(log(height / width) - log(source[0] / source[1]))

    return misfit(shape[1], shape[2]) < misfit(shape[2], shape[3])


def token_grid(count: int, source: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns of `count` tokens over `source` (H, W), or None when they fill no grid."""
    if count < 4:
        return None
    rows = max(1, round((count * source[0] / source[1]) ** 0.5))
    columns = count // rows
    misfit = abs(log(rows / columns) - log(source[0] / source[1])) if columns else 1.0
    return (rows, columns) if rows * columns == count and misfit < 0.25 else None
