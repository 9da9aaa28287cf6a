"""How the receptive field goes through each operation of PyTorch.

A field is a rectangle of the input for every element of a tensor, kept as a tensor of shape
(5, *shape) with -x0, -y0, x1, y1: so the smallest rectangle around several fields is their maximum,
and -infinity is an empty field. The fifth number is 1 where padding goes in as well.

Every operation is replayed on fields: what adds, multiplies or compares elements takes the maximum
of their fields, a convolution or a pooling the maximum over its window, and what only moves
elements moves their fields.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

aten = torch.ops.aten
NOTHING = -math.inf
PLANES = 5


def start(image: Tensor) -> Tensor:
    """The fields of an input's own pixels, (..., H, W): each is its pixel."""
    height, width = image.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(float(height), device=image.device),
        torch.arange(float(width), device=image.device),
        indexing="ij",
    )
    pixels = torch.stack([-x, -y, x + 1, y + 1, torch.zeros_like(x)])
    return pixels.view(PLANES, *[1] * (image.ndim - 2), height, width).expand(PLANES, *image.shape)


def nothing(tensor: Tensor) -> Tensor:
    """The fields of a tensor that does not depend on the input."""
    return torch.full((PLANES, *tensor.shape), NOTHING, device=tensor.device)


def everything(fields: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """For every element of `shape` the rectangle around all of these fields."""
    tops = [thin(field).reshape(PLANES, -1).amax(1) for field in fields if field.numel()]
    top = reduce(torch.maximum, tops, fields[0].new_full((PLANES,), NOTHING))
    return top.view(PLANES, *[1] * len(shape)).expand(PLANES, *shape)


def thin(field: Tensor) -> Tensor:
    """Without repetitions: a dimension along which an expanded tensor is constant has size 1."""
    for dim in range(1, field.ndim):
        if field.stride(dim) == 0 and field.shape[dim] > 1:
            field = field.narrow(dim, 0, 1)
    return field


def joined(fields: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Element by element, with broadcasting to `shape`."""
    parts = []
    for field in map(thin, fields):
        missing = len(shape) - (field.ndim - 1)
        parts.append(field.reshape(PLANES, *[1] * missing, *field.shape[1:]))
    return reduce(torch.maximum, parts).expand(PLANES, *shape)


def over(field: Tensor, dims: Sequence[int], keep: bool) -> Tensor:
    """Reduced over `dims` of the tensor."""
    places = [dim + 1 if dim >= 0 else dim + field.ndim for dim in dims]
    if not places:
        places = list(range(1, field.ndim))
    return field.amax(places, keepdim=keep) if places else field


def windows(
    field: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any = 1, *, ceil: bool = False
) -> Tensor:
    """Over sliding windows of the last two dimensions of (5, N, C, H, W)."""
    down, across = pair(padding)
    if ceil:  # its last window may begin in the padding: by PyTorch's own arithmetic,
        # but it does not note the padding
        flat, inside = field.flatten(0, 1), (down, across)
    else:
        flat, inside = padded(field, (across, across, down, down)).flatten(0, 1), (0, 0)
    pooled = torch.max_pool2d(
        flat, pair(kernel), pair(stride or kernel), inside, pair(dilation), ceil
    )
    return pooled.reshape(*field.shape[:2], *pooled.shape[1:])


def padded(field: Tensor, sides: Sequence[int]) -> Tensor:
    """With padding around it, which depends on nothing."""
    box = functional.pad(field[:4], list(sides), value=NOTHING)
    return torch.cat([box, functional.pad(field[4:], list(sides), value=1.0)])


def pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    values = [int(entry) for entry in value]
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


def _spans(field: Tensor, dim: int, first: Tensor, last: Tensor) -> Tensor:
    """Element i of `dim` is the maximum over elements first[i] to last[i]."""
    most = int((last - first).max()) + 1
    parts = (field.index_select(dim, torch.minimum(first + at, last)) for at in range(most))
    return reduce(torch.maximum, parts)


# ---- the rules: (field of the first argument, all fields, arguments, result) ---------------------


def convolution(field: Tensor, args: Sequence[Any], out: Tensor) -> Tensor | None:
    weight, stride, padding, dilation = args[1], args[3], args[4], args[5]
    transposed, more, groups = args[6], args[7], args[8]
    if out.ndim != 4:
        return None
    kernel = pair(weight.shape[2:])
    by_group = field
    if field.stride(2) == 0:
        by_group = field.narrow(2, 0, 1)
    elif groups != field.shape[2]:
        height, width = field.shape[-2:]
        by_group = field.reshape(PLANES, field.shape[1], groups, -1, height, width).amax(3)
    if transposed:
        pooled = _spread(by_group, kernel, stride, padding, dilation, more)
    else:
        pooled = windows(by_group, kernel, stride, padding, dilation)
    if pooled.shape[2] > 1:
        pooled = pooled.repeat_interleave(out.shape[1] // pooled.shape[2], 2)
    return pooled.expand(PLANES, *out.shape)


def _spread(
    field: Tensor, kernel: tuple[int, int], stride: Any, padding: Any, dilation: Any, more: Any
) -> Tensor:
    """A transposed convolution: the windows of a map whose cells lie `stride` apart."""
    (sy, sx), (py, px) = pair(stride), pair(padding)
    (dy, dx), (my, mx) = pair(dilation), pair(more)
    height, width = field.shape[-2:]
    apart = field.new_full((*field.shape[:3], (height - 1) * sy + 1, (width - 1) * sx + 1), NOTHING)
    apart[..., ::sy, ::sx] = field
    top, left = dy * (kernel[0] - 1) - py, dx * (kernel[1] - 1) - px
    around = functional.pad(apart, (left, left + mx, top, top + my), value=NOTHING)
    return windows(around, kernel, 1, 0, dilation)


def max_pool(field: Tensor, args: Sequence[Any], out: Tensor) -> Tensor:
    values: list[Any] = [None, None, [], 0, 1, False]
    values[: len(args)] = args
    return windows(field, *values[1:5], ceil=values[5])


def avg_pool(field: Tensor, args: Sequence[Any], out: Tensor) -> Tensor:
    values: list[Any] = [None, None, [], 0, False]
    values[: len(args[:5])] = args[:5]
    return windows(field, *values[1:4], ceil=values[4])


def adaptive_pool(field: Tensor, args: Sequence[Any], out: Tensor) -> Tensor:
    for dim in (-2, -1):
        old, new = field.shape[dim], out.shape[dim]
        cells = torch.arange(new, device=field.device)
        first = cells * old // new
        field = _spans(field, dim, first, -(-(cells + 1) * old // new) - 1)
    return field


def resample(field: Tensor, func: Any, args: Sequence[Any], kwargs: Any, out: Tensor) -> Tensor:
    """Interpolation of any kind: which rows and columns it mixes is measured on itself."""
    for dim in (-2, -1):
        old = args[0].shape[dim]
        ones = torch.eye(old, device=field.device)
        each = ones[None, :, :, None] if dim == -2 else ones[None, :, None, :]
        taken = func(each.contiguous(), *args[1:], **kwargs)[0].abs().sum(-1 if dim == -2 else -2)
        taken = taken.T.gt(1e-6 * float(taken.max()))  # (new, old)
        first = taken.int().argmax(1)
        last = old - 1 - taken.flip(1).int().argmax(1)
        field = _spans(field, dim, first, last)
    return field


def layer_norm(field: Tensor, args: Sequence[Any], out: Tensor) -> Tensor:
    dims = range(-len(args[1]), 0)
    return over(thin(field), dims, keep=True).expand(PLANES, *out.shape)


def group_norm(field: Tensor, args: Sequence[Any], out: Tensor) -> Tensor:
    groups = args[6]
    parts = field.reshape(PLANES, out.shape[0], groups, -1).amax(3)
    parts = parts.repeat_interleave(out.shape[1] // groups, 2)
    return parts.view(*parts.shape, *[1] * (out.ndim - 2)).expand(PLANES, *out.shape)


def softmax(field: Tensor, args: Sequence[Any], out: Tensor) -> Tensor:
    return over(field, [args[1]], keep=True).expand(PLANES, *out.shape)


def reduction(field: Tensor, func: Any, args: Sequence[Any], kwargs: Any, out: Tensor) -> Tensor:
    names = [argument.name for argument in func._schema.arguments]
    dims = {**dict(zip(names, args, strict=False)), **kwargs}.get("dim")
    dims = [dims] if isinstance(dims, int) else list(dims or ())
    return over(field, dims, keep=out.ndim == field.ndim - 1)


def product(left: Tensor | None, right: Tensor | None, out: Tensor) -> Tensor:
    """A matrix product: a row of the left one with a column of the right one."""
    parts = [] if left is None else [thin(left).amax(-1, keepdim=True)]
    parts += [] if right is None else [thin(right).amax(-2, keepdim=True)]
    return joined(parts, out.shape)


def attention(fields: Sequence[Tensor | None], out: Tensor) -> Tensor:
    """Softmax attention: a query with all keys and values."""
    query, *others = fields
    parts = [] if query is None else [thin(query).amax(-1, keepdim=True)]
    parts += [thin(other).amax((-2, -1), keepdim=True) for other in others if other is not None]
    return joined(parts, out.shape)


def sequences(fields: Sequence[Tensor | None], out: Tensor) -> Tensor:
    """Attention between all tokens of (N, L, D)."""
    parts = [thin(field).amax((-2, -1), keepdim=True) for field in fields if field is not None]
    return joined(parts, out.shape)


def known(*names: str) -> frozenset[Any]:
    """The operations of these names that this version of PyTorch has."""
    return frozenset(getattr(aten, name) for name in names if hasattr(aten, name))


CONVOLUTIONS = known("convolution", "_convolution", "convolution_overrideable")
MAX_POOLS = known("max_pool2d_with_indices", "max_pool2d", "mkldnn_max_pool2d")
AVG_POOLS = known("avg_pool2d")
ADAPTIVE = known(
    "_adaptive_avg_pool2d", "adaptive_avg_pool2d", "mkldnn_adaptive_avg_pool2d",
    "adaptive_max_pool2d",
)  # fmt: skip
RESAMPLED = known(
    "upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d", "upsample_bicubic2d",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
)  # fmt: skip
CHANNEL_NORMS = known(
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
    "cudnn_batch_norm", "miopen_batch_norm", "batch_norm", "_batch_norm_no_update",
)  # fmt: skip
"""Of networks in eval mode: constants for each channel."""
REDUCTIONS = known(
    "mean", "sum", "amax", "amin", "max", "min", "var", "std", "prod", "linalg_vector_norm", "norm",
    "logsumexp",
)  # fmt: skip
SAME = known("clone", "_to_copy", "detach", "alias", "contiguous", "native_dropout")
RESHAPED = known("view", "_unsafe_view", "reshape", "_reshape_alias")
MOVED = known(
    "permute", "transpose", "t", "slice", "select", "unsqueeze", "squeeze", "expand", "cat",
    "stack", "split", "split_with_sizes", "unbind", "roll", "flip", "pixel_shuffle",
    "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "repeat", "unfold", "im2col",
    "reflection_pad2d", "replication_pad2d", "index_select", "flatten", "chunk", "narrow",
    "movedim",
)  # fmt: skip
CONSTANT = known(
    "new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like",
    "empty_like", "rand_like", "randn_like",
)  # fmt: skip
"""Only their shape comes from the argument."""
POINTWISE = known("hardswish", "hardsigmoid", "prelu", "_prelu_kernel", "log_sigmoid")
"""Those without the tag."""
WHOLE_SEQUENCES = known("_native_multi_head_attention", "_transformer_encoder_layer_fwd")
"""Every token of the output depends on all tokens."""
OVERWRITTEN = known("copy", "fill", "zero")
"""What was there before does not matter."""
SOFTMAXES = known("_softmax", "_log_softmax")
PRODUCTS = {aten.mm: 0, aten.bmm: 0, aten.matmul: 0, aten.addmm: 1, aten.baddbmm: 1}
"""At which argument the two matrices begin."""
ATTENTION = known(
    "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_attention_math", "scaled_dot_product_attention",
)  # fmt: skip


def written(base: Tensor, before: Tensor | None, part: Tensor, field: Tensor) -> Tensor | None:
    """The fields of `base`, of which the view `part` was written; None where its place is unknown.

    Args:
        base: A tensor that owns its memory.
        before: Its fields until now; None = it depended on nothing.
        part: A view of it.
        field: The fields of what was written.
    """
    if not base.is_contiguous():
        return None
    places = torch.arange(base.numel(), device=base.device).as_strided(
        part.shape, part.stride(), part.storage_offset() - base.storage_offset()
    )
    flat = (nothing(base) if before is None else before).reshape(PLANES, -1).clone()
    flat[:, places.flatten()] = field.reshape(PLANES, -1)
    return flat.view(PLANES, *base.shape)


def moved(func: Any, field_of: Callable[[Tensor], Tensor], args: Any, kwargs: Any) -> Any:
    """`func` on the fields of its first argument, a tensor or a list of them."""
    first, rest = args[0], args[1:]
    if isinstance(first, Tensor):
        sides = [func(side, *rest, **kwargs) for side in field_of(first)]
    else:
        fields = [field_of(each) for each in first]
        sides = [func([each[at] for each in fields], *rest, **kwargs) for at in range(PLANES)]
    if isinstance(sides[0], Tensor):
        return torch.stack(sides)
    return [torch.stack(parts) for parts in zip(*sides, strict=True)]
