"""Replays the operations of a forward pass on receptive fields; see `field_rules`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.vision.features import field_rules as rules
from explorer.vision.features.activations import laid_out


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
        self._rectangles = WeakTensorKeyDictionary()

    def rectangles(self, tensor: Tensor, source: tuple[int, int]) -> Tensor:
        """(7, h, w): the fields over all channels, if cells are places, how much was assumed."""
        if tensor in self._rectangles:  # a container gives what its last module gave
            known: Tensor = self._rectangles[tensor]
            return known
        found = self._rectangles[tensor] = self._over_channels(tensor, source)
        return found

    def _over_channels(self, tensor: Tensor, source: tuple[int, int]) -> Tensor:
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
        return field.reshape(rules.PLANES, *out.shape)
    if packet is rules.aten.as_strided and tuple(out.shape[-2:]) == (1, 1):
        return field  # what global average pooling does to its strides
    if packet is rules.aten.constant_pad_nd:
        return rules.padded(field, args[1])
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
