"""Which part of the input each cell of a network depends on, and how much.

The **theoretical** field is worked out by a forward pass that also replays every operation on
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
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import captured, output_until
from explorer.networks.preprocess import SAME_FRAME, Frame, grid_frame
from explorer.vision.features import field_rules as rules
from explorer.vision.features.activations import (
    RESIZE,
    detector_frame,
    laid_out,
    named_tensors,
)

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
        spatial: Cells are places: false for vectors, whose field is one rectangle.
        assumed: Names of operations without a rule that ran before: all their outputs were taken to
            depend on all their inputs, so fields may be too large.
    """

    xyxy: NDArray[np.float32]
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
    """

    layers: Mapping[str, LayerFields]
    size: tuple[int, int]
    frame: Frame
    batch: tuple[int, int]
    to_batch: Frame

    @property
    def assumed(self) -> tuple[str, ...]:
        """Of all layers."""
        return tuple(sorted({name for each in self.layers.values() for name in each.assumed}))

    def to_cells(self, layer: str) -> Frame:
        """From the picture's pixels to the cells of a layer."""
        height, width = self[layer].xyxy.shape[:2]
        return self.to_batch.then(grid_frame(self.batch, (height, width)))

    def __getitem__(self, layer: str) -> LayerFields:
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
    x0, y0, x1, y1, spatial, before = packed.float().cpu().numpy()
    xyxy = np.stack([-x0, -y0, x1, y1], axis=-1).astype(np.float32)
    xyxy[~np.isfinite(xyxy).all(axis=-1)] = 0.0
    return LayerFields(xyxy, bool(spatial.flat[0]), tuple(assumed[: int(before.flat[0])]))


class Replay(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the fields of all tensors that come from `image`, as long as it is entered.

    Attributes:
        assumed: See `LayerFields`; in the order in which they were met.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.assumed: list[str] = []
        self._fields = WeakTensorKeyDictionary()
        self._fields[image] = rules.start(image)

    def rectangles(self, tensor: Tensor, source: tuple[int, int]) -> Tensor:
        """(6, h, w): the fields over all channels, if cells are places, how much was assumed."""
        field = self._of(tensor)
        if field is None or tensor.numel() == 0:
            return torch.empty(0)
        sides, spatial = [], False
        for side in field:
            maps, spatial = laid_out(side, source)
            sides.append(maps.amax(0))
        more = (float(spatial), float(len(self.assumed)))
        return torch.stack([*sides, *(torch.full_like(sides[0], value) for value in more)])

    def _of(self, value: Any) -> Tensor | None:
        if isinstance(value, Tensor) and value in self._fields:
            found: Tensor = self._fields[value]
            return found
        return None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        given = [self._fields[t] for t in _tensors((args, kwargs)) if t in self._fields]
        if given:
            self._follow(func, args, kwargs, given, out)
        return out

    def _follow(self, func: Any, args: Any, kwargs: Any, given: list[Tensor], out: Any) -> None:
        if func.overloadpacket in rules.CONSTANT:
            return
        outputs = _tensors(out)
        packet = func.overloadpacket
        name = func._schema.name.split("::")[1]
        in_place = name.endswith("_") and not name.endswith("__")
        if in_place:
            packet = getattr(rules.aten, name[:-1], packet)
        try:
            found = self._field(packet, func, args, kwargs, given, outputs) if outputs else None
        except (
            RuntimeError,
            IndexError,
            TypeError,
            ValueError,
        ):  # arguments that its rule was not written for
            found = None
        if found is None:
            self._assume(name)
            found = [rules.everything(given, each.shape) for each in outputs]
        for tensor, field in zip(outputs, found, strict=False):
            self._fields[tensor] = field
        base = args[0]._base if in_place and isinstance(args[0], Tensor) else None
        if base is not None:  # a part of a tensor was written
            before = self._of(base)
            whole = rules.written(base, before, outputs[0], found[0])
            if whole is None:
                self._assume(name)
                both = found if before is None else [*found, before]
                whole = rules.everything(both, base.shape)
            self._fields[base] = whole

    def _assume(self, name: str) -> None:
        if name not in self.assumed:
            self.assumed.append(name)

    def _field(
        self, packet: Any, func: Any, args: Any, kwargs: Any, given: list[Tensor],
        outputs: list[Tensor],
    ) -> list[Tensor] | None:  # fmt: skip
        """The fields of the first outputs, or None where no rule fits."""
        out, first = outputs[0], self._of(args[0] if args else None)
        found: Any = None
        if packet in rules.PRODUCTS:
            at = rules.PRODUCTS[packet]
            found = rules.product(self._of(args[at]), self._of(args[at + 1]), out)
            if at and (added := self._of(args[0])) is not None:
                found = rules.joined([found, added], out.shape)
        elif packet in rules.ATTENTION:
            found = rules.attention([self._of(each) for each in args[:3]], out)
        elif packet in rules.WHOLE_SEQUENCES:
            found = rules.sequences([self._of(each) for each in args[:3]], out)
        elif packet in rules.OVERWRITTEN:
            source = self._of(args[1]) if len(args) > 1 else None
            found = rules.nothing(out) if source is None else rules.joined([source], out.shape)
        elif _pointwise(func, packet):
            found = rules.joined(given, out.shape)
        elif any(self._of(each) is not None for each in _tensors((args[1:], kwargs))):
            found = None  # weights or places that depend on the photo themselves
        elif packet in rules.MOVED:
            found = rules.moved(func, self._or_nothing, args, kwargs)
        elif first is not None:
            found = _of_one(packet, func, first, args, kwargs, out)
        if isinstance(found, Tensor):
            found = [found]
        fits = found is not None and all(
            tuple(field.shape[1:]) == tuple(each.shape)
            for field, each in zip(found, outputs, strict=False)
        )
        return found if fits else None

    def _or_nothing(self, tensor: Tensor) -> Tensor:
        field = self._of(tensor)
        return rules.nothing(tensor) if field is None else field


def _of_one(packet: Any, func: Any, field: Tensor, args: Any, kwargs: Any, out: Tensor) -> Any:
    """The rules for operations on one tensor."""
    if packet in rules.CONVOLUTIONS:
        return rules.convolution(field, args, out)
    if packet in rules.MAX_POOLS:
        return rules.max_pool(field, args, out)
    if packet in rules.AVG_POOLS:
        return rules.avg_pool(field, args, out)
    if packet in rules.ADAPTIVE:
        return rules.adaptive_pool(field, args, out)
    if packet in rules.RESAMPLED:
        return rules.resample(field, func, args, kwargs, out)
    if packet in rules.CHANNEL_NORMS or packet in rules.SAME:
        return field
    if packet is rules.aten.native_layer_norm:
        return rules.layer_norm(field, args, out)
    if packet is rules.aten.native_group_norm:
        return rules.group_norm(field, args, out)
    if packet in rules.SOFTMAXES:
        return rules.softmax(field, args, out)
    if packet in rules.REDUCTIONS:
        return rules.reduction(field, func, args, kwargs, out)
    if packet in rules.RESHAPED:
        return field.reshape(4, *out.shape)
    if packet is rules.aten.as_strided and tuple(out.shape[-2:]) == (1, 1):
        return field  # what global average pooling does to its strides
    if packet is rules.aten.constant_pad_nd:
        return torch.nn.functional.pad(field, args[1], value=rules.NOTHING)
    return None


def _pointwise(func: Any, packet: Any) -> bool:
    """`packet` is of the operation that is not in place, which alone has the tag."""
    if packet in rules.POINTWISE or torch.Tag.pointwise in func.tags:
        return True
    return packet is not func.overloadpacket and any(
        torch.Tag.pointwise in getattr(packet, name).tags for name in packet.overloads()
    )


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [tensor for entry in value for tensor in _tensors(entry)]
    return []


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
