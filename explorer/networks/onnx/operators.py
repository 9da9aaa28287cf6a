"""ONNX operators as modules: those that onnx2torch lacks, or has in another meaning.

Its registry ends at opset 17 for most operators. Where a later version only takes more types, its
own converter does; where the meaning differs the module is here. A class has the operator's name,
which is what lists of layers show.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.onnx.packages import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Converted = tuple[nn.Module, tuple[str, ...]]
"""A module and the names of the values that it is called with; "" = left out."""


class NotConvertible(Exception):
    """An operator, or a form of it, that no module here computes exactly."""


SAME_MEANING = {
    "AveragePool": 11, "BatchNormalization": 15, "Cast": 13, "ConstantOfShape": 9, "Conv": 11,
    "ConvTranspose": 11, "Cos": 7, "DepthToSpace": 13, "Elu": 6, "Equal": 13, "EyeLike": 9,
    "Flatten": 13, "GlobalAveragePool": 1, "HardSigmoid": 6, "HardSwish": 14, "Identity": 16,
    "InstanceNormalization": 6, "IsInf": 10, "IsNaN": 13, "MaxPool": 12, "NonMaxSuppression": 11,
    "RoiAlign": 16, "Round": 11, "Selu": 6, "Shape": 15, "Sin": 7, "Softplus": 1, "Softsign": 1,
    "Squeeze": 13, "TopK": 11, "Transpose": 13, "Unsqueeze": 13, "Acos": 7, "Asin": 7, "Atan": 7,
    "Tan": 7, "ScatterND": 16, "CumSum": 14,
}  # fmt: skip
"""The version in onnx2torch that later ones differ from in types only."""


class Reshape(nn.Module):
    """A zero in the shape copies the input's size unless `allow_zero`; -1 is what is left."""

    def __init__(self, allow_zero: bool) -> None:
        super().__init__()
        self.allow_zero = allow_zero

    def forward(self, values: Tensor, shape: Tensor) -> Tensor:
        sizes = [int(size) for size in shape.tolist()]
        if not self.allow_zero:
            sizes = [values.shape[at] if size == 0 else size for at, size in enumerate(sizes)]
        return values.reshape(sizes)


def _all_of(reduce: Callable[..., Tensor]) -> Callable[[Tensor, list[int], bool], Tensor]:
    return lambda values, axes, keep: reduce(values, dim=axes, keepdim=keep)


def _product(values: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        values = values.prod(dim=axis, keepdim=keep)
    return values


REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "ReduceMean": _all_of(torch.mean),
    "ReduceSum": _all_of(torch.sum),
    "ReduceMax": _all_of(torch.amax),
    "ReduceMin": _all_of(torch.amin),
    "ReduceProd": _product,
    "ReduceL1": lambda values, axes, keep: values.abs().sum(dim=axes, keepdim=keep),
    "ReduceL2": lambda values, axes, keep: values.square().sum(dim=axes, keepdim=keep).sqrt(),
    "ReduceSumSquare": lambda values, axes, keep: values.square().sum(dim=axes, keepdim=keep),
    "ReduceLogSum": lambda values, axes, keep: values.sum(dim=axes, keepdim=keep).log(),
    "ReduceLogSumExp": _all_of(torch.logsumexp),
}


class Reduction(nn.Module):
    """Over axes that are fixed, or given with the values; over all of them where none are."""

    def __init__(self, kind: str, axes: Sequence[int] | None, keep: bool, empty_none: bool) -> None:
        super().__init__()
        self.kind, self.axes, self.keep, self.empty_none = kind, axes, keep, empty_none

    def forward(self, values: Tensor, axes: Tensor | None = None) -> Tensor:
        asked = self.axes if axes is None else axes.tolist()
        if not asked and self.empty_none:
            return values
        along = [int(axis) % values.ndim for axis in asked or range(values.ndim)]
        return REDUCTIONS[self.kind](values, along, self.keep)


class Split(nn.Module):
    """Into `count` parts, of which the last may be smaller, or into parts of given sizes."""

    def __init__(self, count: int, axis: int, sizes: Sequence[int] | None) -> None:
        super().__init__()
        self.count, self.axis, self.sizes = count, axis, sizes

    def forward(self, values: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
        if sizes is not None:
            parts = [int(size) for size in sizes.tolist()]
        elif self.sizes is not None:
            parts = list(self.sizes)
        else:
            total = values.shape[self.axis]
            each = ceil(total / self.count)
            ends = [min(each * number, total) for number in range(self.count + 1)]
            parts = [after - before for before, after in pairwise(ends)]
        return torch.split(values, parts, dim=self.axis)


class Slice(nn.Module):
    """Python's slices along axes that are given with the values, or fixed before opset 10."""

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__()
        self.fixed = [about.get(name) for name in ("starts", "ends", "axes")]

    def forward(
        self,
        values: Tensor,
        starts: Tensor | None = None,
        ends: Tensor | None = None,
        axes: Tensor | None = None,
        steps: Tensor | None = None,
    ) -> Tensor:
        first, last, along = (
            fixed if given is None else [int(number) for number in given.tolist()]
            for given, fixed in zip((starts, ends, axes), self.fixed, strict=True)
        )
        first, last = first or [], last or []
        strides = [1] * len(first) if steps is None else [int(step) for step in steps.tolist()]
        named = range(len(first)) if along is None else along
        for axis, start, end, step in zip(named, first, last, strides, strict=True):
            size = values.shape[axis]
            if step > 0:
                place: list[Any] = [slice(None)] * values.ndim
                place[axis] = slice(start, end, step)
                values = values[tuple(place)]
            else:  # an end before the beginning cannot be written as a slice
                start = min(start + size if start < 0 else start, size - 1)
                end = max(end + size if end < 0 else end, -1)
                rows = torch.arange(start, end, step, device=values.device)
                values = values.index_select(axis, rows)
        return values


class Pad(nn.Module):
    """All modes of opset 21, along all axes or those that are named."""

    MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}  # noqa: RUF012

    def __init__(self, mode: str) -> None:
        super().__init__()
        if mode not in self.MODES:
            raise NotConvertible(f"Pad (mode {mode})")
        self.mode = self.MODES[mode]

    def forward(
        self,
        values: Tensor,
        pads: Tensor,
        constant: Tensor | None = None,
        axes: Tensor | None = None,
    ) -> Tensor:
        rank, given = values.ndim, [int(pad) for pad in pads.tolist()]
        named = range(rank) if axes is None else [int(axis) % rank for axis in axes.tolist()]
        both = dict.fromkeys(range(rank), (0, 0))
        for at, axis in enumerate(named):
            both[axis] = (given[at], given[at + len(given) // 2])
        backwards = [pad for axis in reversed(range(rank)) for pad in both[axis]]
        if self.mode == "constant":
            value = 0.0 if constant is None else float(constant)
            return functional.pad(values, backwards, value=value)
        while len(backwards) > 2 and backwards[-2:] == [0, 0]:
            backwards = backwards[:-2]
        return functional.pad(values, backwards, mode=self.mode)


class Resize(nn.Module):
    """The forms that torch's `interpolate` computes exactly."""

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__()
        mode = about.get("mode", "nearest")
        place = about.get("coordinate_transformation_mode", "half_pixel")
        round_to = about.get("nearest_mode", "round_prefer_floor")
        self.antialias = bool(about.get("antialias", 0))
        self.axes = about.get("axes")
        self.align: bool | None = None
        if mode == "nearest" and (place, round_to) == ("asymmetric", "floor"):
            self.mode = "nearest"
        elif mode == "nearest" and place in ("half_pixel", "pytorch_half_pixel"):
            self.mode = "nearest-exact"
        elif mode in ("linear", "cubic") and place in (
            "half_pixel", "pytorch_half_pixel", "align_corners",
        ):  # fmt: skip
            self.mode = mode
            self.align = place == "align_corners"
        else:
            raise NotConvertible(f"Resize ({mode}, {place})")
        if (
            about.get("cubic_coeff_a", -0.75) != -0.75
            or (about.get("exclude_outside", 0) and not self.antialias)
            or about.get("keep_aspect_ratio_policy", "stretch") != "stretch"
        ):
            raise NotConvertible(f"Resize ({mode}, with other coefficients)")

    def forward(
        self,
        values: Tensor,
        _region: Tensor | None = None,
        scales: Tensor | None = None,
        sizes: Tensor | None = None,
    ) -> Tensor:
        spatial = values.ndim - 2
        names = {1: "linear", 2: "bilinear", 3: "trilinear"}
        mode = {"linear": names.get(spatial, ""), "cubic": "bicubic"}.get(self.mode, self.mode)
        kind: dict[str, Any] = {"mode": mode, "align_corners": self.align}
        if self.antialias:
            kind["antialias"] = True
        if sizes is not None and sizes.numel():
            return functional.interpolate(
                values, size=[int(size) for size in sizes.tolist()[-spatial:]], **kind
            )
        if scales is None:
            raise ValueError("Resize without sizes and scales")
        factors = [float(scale) for scale in scales.tolist()]
        if any(factor != 1 for factor in factors[:-spatial]):
            raise ValueError("Resize of channels")
        return functional.interpolate(values, scale_factor=factors[-spatial:], **kind)


class SamePad(nn.Module):
    """Pads so that a window with a stride gives ceil(size / stride) places (auto_pad SAME_…)."""

    def __init__(
        self,
        kernel: Sequence[int],
        stride: Sequence[int],
        dilation: Sequence[int],
        upper: bool,
        value: float,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation = tuple(kernel), tuple(stride), tuple(dilation)
        self.upper, self.value = upper, value

    def forward(self, values: Tensor) -> Tensor:
        pads: list[int] = []
        sizes = values.shape[2:]
        for size, kernel, stride, dilation in reversed(
            list(zip(sizes, self.kernel, self.stride, self.dilation, strict=True))
        ):
            total = max(0, (ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
            less, more = total // 2, total - total // 2
            pads += [less, more] if self.upper else [more, less]
        return functional.pad(values, pads, value=self.value)


class Clip(nn.Module):
    """Between two numbers, each of which may be left out or given with the values."""

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(
        self, values: Tensor, low: Tensor | None = None, high: Tensor | None = None
    ) -> Tensor:
        least = self.low if low is None else float(low)
        most = self.high if high is None else float(high)
        return values if least is None and most is None else values.clamp(least, most)


class GlobalMaxPool(nn.Module):
    """(N, C, …) -> (N, C, 1, …)."""

    def forward(self, values: Tensor) -> Tensor:
        return values.amax(dim=tuple(range(2, values.ndim)), keepdim=True)


class GroupNormalization(nn.Module):
    """Scale and bias per group before opset 21, per channel from there on."""

    def __init__(self, groups: int, epsilon: float) -> None:
        super().__init__()
        self.groups, self.epsilon = groups, epsilon

    def forward(self, values: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        channels = values.shape[1]
        if len(scale) != channels:
            scale, bias = (one.repeat_interleave(channels // len(one)) for one in (scale, bias))
        return functional.group_norm(values, self.groups, scale, bias, self.epsilon)


class GridSample(nn.Module):
    """(N, C, H, W) at places (N, h, w, 2) in [-1, 1]."""

    def __init__(self, mode: str, padding: str, align: bool) -> None:
        super().__init__()
        self.mode = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
        self.padding, self.align = padding, align

    def forward(self, values: Tensor, grid: Tensor) -> Tensor:
        return functional.grid_sample(
            values, grid, mode=self.mode, padding_mode=self.padding, align_corners=self.align
        )


class ScatterElements(nn.Module):
    """Writes the updates at the indices along one axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, values: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        size = values.shape[self.axis]
        return values.scatter(self.axis, torch.where(indices < 0, indices + size, indices), updates)


class CastLike(nn.Module):
    """The values in the type of the second input."""

    def forward(self, values: Tensor, like: Tensor) -> Tensor:
        return values.to(like.dtype)


def _reshape(node: Any, _graph: Any) -> Converted:
    return Reshape(bool(node.attributes.get("allowzero", 0))), node.input_values


def _reduce(node: Any, _graph: Any) -> Converted:
    about = node.attributes
    module = Reduction(
        node.operation_type,
        about.get("axes"),
        about.get("keepdims", 1) == 1,
        about.get("noop_with_empty_axes", 0) == 1,
    )
    return module, node.input_values


def _slice(node: Any, _graph: Any) -> Converted:
    return Slice(dict(node.attributes)), node.input_values


def _clip(node: Any, graph: Any) -> Converted:
    given = node.input_values
    limits = [node.attributes.get("min"), node.attributes.get("max")]
    for at, name in enumerate(given[1:]):
        if name and name not in graph.initializers:
            return Clip(*limits), given
        if name:
            limits[at] = float(graph.initializers[name].to_torch())
    if limits == [0, None]:
        return nn.ReLU(), given[:1]
    return (nn.ReLU6() if limits == [0, 6] else Clip(*limits)), given[:1]


def _split(node: Any, _graph: Any) -> Converted:
    about = node.attributes
    sizes, axis = about.get("split"), about.get("axis", 0)
    return Split(len(node.output_values), axis, sizes), node.input_values


def _pad(node: Any, graph: Any) -> Converted:
    about = node.attributes
    if "pads" in about:  # before opset 11
        return _converter("Pad", 2)(node, graph)
    return Pad(about.get("mode", "constant")), node.input_values


def _resize(node: Any, _graph: Any) -> Converted:
    given = node.input_values
    if len(given) == 2:  # before opset 11: values and scales, as asymmetric places
        about = {**node.attributes, "coordinate_transformation_mode": "asymmetric"}
        return Resize({**about, "nearest_mode": "floor"}), (given[0], "", given[1])
    if node.attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        raise NotConvertible("Resize (tf_crop_and_resize)")
    return Resize(dict(node.attributes)), (given[0], "", *given[2:])


def _windowed(node: Any, graph: Any) -> Converted:
    """Conv and MaxPool whose padding follows from the input's size."""
    kind, about = node.operation_type, node.attributes
    version = SAME_MEANING[kind]
    auto = about.get("auto_pad", "NOTSET")
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        return _converter(kind, version)(node, graph)
    proto = type(node.proto)()
    proto.CopyFrom(node.proto)
    kept = [
        attribute for attribute in proto.attribute if attribute.name not in ("auto_pad", "pads")
    ]
    del proto.attribute[:]
    proto.attribute.extend(kept)
    plain = needed("onnx2torch.onnx_node").OnnxNode(proto, node.unique_name)
    inner, given = _converter(kind, version)(plain, graph)
    weights: Any = getattr(inner, "weight", None)
    kernel: list[int] = about.get("kernel_shape") or list(weights.shape[2:])
    ones = [1] * len(kernel)
    pad = SamePad(
        kernel, about.get("strides", ones), about.get("dilations", ones), auto == "SAME_UPPER",
        float("-inf") if kind == "MaxPool" else 0.0,
    )  # fmt: skip
    return nn.Sequential(pad, inner), given


def _average_pool(node: Any, graph: Any) -> Converted:
    if any(step != 1 for step in node.attributes.get("dilations", ())):
        raise NotConvertible("AveragePool (dilated)")
    if node.attributes.get("auto_pad", "NOTSET").startswith("SAME"):
        raise NotConvertible("AveragePool (auto_pad)")
    return _converter("AveragePool", SAME_MEANING["AveragePool"])(node, graph)


def _dropout(node: Any, _graph: Any) -> Converted:
    if len(node.output_values) > 1:
        raise NotConvertible("Dropout (with its mask)")
    return nn.Dropout(), node.input_values[:1]


def _grid_sample(node: Any, _graph: Any) -> Converted:
    about = node.attributes
    align = about.get("align_corners", 0) == 1
    padding = about.get("padding_mode", "zeros")
    return GridSample(about.get("mode", "linear"), padding, align), node.input_values


def _scatter_elements(node: Any, _graph: Any) -> Converted:
    if node.attributes.get("reduction", "none") != "none":
        raise NotConvertible("ScatterElements (with a reduction)")
    return ScatterElements(node.attributes.get("axis", 0)), node.input_values


def _group_norm(node: Any, _graph: Any) -> Converted:
    about = node.attributes
    return GroupNormalization(about["num_groups"], about.get("epsilon", 1e-5)), node.input_values


def _gelu(node: Any, _graph: Any) -> Converted:
    return nn.GELU(node.attributes.get("approximate", "none")), node.input_values


OURS: dict[str, Callable[[Any, Any], Converted]] = {
    "Reshape": _reshape,
    **dict.fromkeys(REDUCTIONS, _reduce),
    "Slice": _slice,
    "Clip": _clip,
    "Split": _split,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "Conv": _windowed,
    "MaxPool": _windowed,
    "AveragePool": _average_pool,
    "Dropout": _dropout,
    "GridSample": _grid_sample,
    "ScatterElements": _scatter_elements,
    "GroupNormalization": _group_norm,
    "Gelu": _gelu,
    "Mish": lambda node, _graph: (nn.Mish(), node.input_values),
    "GlobalMaxPool": lambda node, _graph: (GlobalMaxPool(), node.input_values),
    "CastLike": lambda node, _graph: (CastLike(), node.input_values),
}


def converted(node: Any, graph: Any, version: int) -> Converted:
    """The module of a node.

    Args:
        node: onnx2torch's `OnnxNode`.
        graph: Its `OnnxGraph`.
        version: Of the operators of the node's domain.

    Raises:
        NotConvertible: There is none that computes the same.
    """
    kind = node.operation_type
    if node.domain not in ("", "ai.onnx"):
        raise NotConvertible(f"{node.domain}.{kind}")
    try:
        if kind in OURS:
            module, given = OURS[kind](node, graph)
        else:
            module, given = _converter(kind, version)(node, graph)
    except NotConvertible:
        raise
    # onnx2torch's converters meet inputs that are no constants, shapes that are not known …
    except Exception as error:
        raise NotConvertible(kind) from error
    if type(module).__module__.startswith("onnx2torch"):
        module.__class__ = type(kind, (type(module),), {})  # lists of layers show this name
    return module, tuple(given)


def _converter(kind: str, version: int) -> Callable[[Any, Any], Converted]:
    """onnx2torch's, of that version or of the last one with the same meaning."""
    registry = needed("onnx2torch.node_converters")
    for asked in (version, SAME_MEANING.get(kind)):
        if asked is None:
            continue
        try:
            found = registry.get_converter(operation_type=kind, version=asked)
        except NotImplementedError:
            continue

        def convert(node: Any, graph: Any, found: Any = found) -> Converted:
            result = found(node, graph)
            return result.torch_module, tuple(result.onnx_mapping.inputs)

        return convert
    raise NotConvertible(kind)
