"""Layer-wise relevance propagation: the score is handed down, layer by layer, to the pixels.

A layer with the inputs a_j and the outputs z_k hands down the relevance R_k of each output in parts
of what each input contributed to it (Bach et al. 2015, "On Pixel-Wise Explanations", equation 56):

    R_j = sum_k  c_jk / sum_i c_ik  R_k

with c_jk = a_j w_jk (rule epsilon, where a small number with the sign of z_k is added below and the
bias keeps its part), or with the positive ones of them alone (rule z+, without the bias). That is
the gradient times the input of a network whose layers have the same outputs and other derivatives
(Montavon et al. 2019, "Layer-Wise Relevance Propagation: An Overview"), which is how it is computed
here: with `rules.Rules`, without a change to the network.

Activation functions pass relevance on as it is. Batch normalization is merged into the convolution
before. Of two factors that both depend on the input (a gate), the smaller one counts as a constant.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import rerouted
from explorer.vision.attribution.maps import Attribution
from explorer.vision.attribution.rules import CLIPPED, RELU, Function, Rules, in_place
from explorer.vision.attribution.targets import origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.vision.attribution.targets import Target

Rule = Literal["composite", "epsilon"]
"""Composite: z+ in convolutions and epsilon in linear layers (Kohlbrenner et al. 2020)."""

EPSILON = 1e-7
"""Added to the sum of the contributions, away from 0, in parts of a layer's mean magnitude."""

POINTWISE = (
    *RELU, *CLIPPED, F.leaky_relu, F.leaky_relu_, F.elu, F.elu_, F.silu, F.mish, F.gelu,
    F.hardswish, F.softplus, F.selu,
)  # fmt: skip
PRODUCTS = (
    torch.mul, Tensor.mul, Tensor.mul_, Tensor.__mul__, Tensor.__rmul__, Tensor.__imul__,
)  # fmt: skip
ATTENTION = (F.multi_head_attention_forward, F.scaled_dot_product_attention)


def lrp(
    target: Target,
    values: Tensor,
    *,
    rule: Rule = "composite",
    through: tuple[str, int] | None = None,
) -> Attribution:
    """The relevance of every pixel, summed over its color channels.

    Args:
        target: What is attributed: its score is the relevance at the top.
        values: (1, C, H, W).
        rule: See `Rule`.
        through: A layer and one of its channels: only the relevance that passes through it counts
            (concept relevance propagation, Achtibat et al. 2023, "From Attribution Maps to
            Human-Understandable Explanations", equation 4).

    Returns:
        (H, W); without biases its sum is the score.

    Raises:
        ExplorerError: The network has attention, for which there is no rule here.
    """
    shown = values.detach().clone().requires_grad_()
    channel = (
        nullcontext()
        if through is None
        else rerouted(target.module, {through[0]: _only(through[1], through[0])})
    )
    with torch.enable_grad(), channel, LrpRules(rule):
        read = target(shown)
    with torch.enable_grad():
        (found,) = torch.autograd.grad(read.score.sum(), shown, allow_unused=True)
    relevance = torch.zeros_like(shown)
    if found is not None:
        relevance = found * (values - origin(target.module, values))
    return Attribution.of(relevance[0].float().sum(0), read)


def _only(channel: int, layer: str) -> Callable[[Tensor], Tensor]:
    """Leaves values as they are, and the gradient of one channel alone."""

    def change(tensor: Tensor) -> Tensor:
        axis = 1 if tensor.ndim != 3 else 2  # the channels of tokens come last
        if tensor.ndim < 2 or not tensor.is_floating_point():
            return tensor
        if channel >= tensor.shape[axis]:
            raise ExplorerError(
                f"The layer {layer!r} has {tensor.shape[axis]} channels, and no {channel}.",
                "Choose another channel.",
            )
        keep = torch.zeros(tensor.shape[axis], device=tensor.device, dtype=torch.bool)
        keep[channel] = True
        shape = [1] * tensor.ndim
        shape[axis] = -1
        return torch.where(keep.view(shape), tensor, tensor.detach())

    return change


class LrpRules(Rules):
    """The rules of `lrp` for the forward passes inside the `with`."""

    def __init__(self, rule: Rule) -> None:
        self._positive = rule == "composite"
        self._last: tuple[Tensor, tuple[Any, ...]] | None = None
        super().__init__(
            dict.fromkeys(POINTWISE, self._pointwise)
            | dict.fromkeys(PRODUCTS, self._product)
            | dict.fromkeys(ATTENTION, _no_attention)
            | {
                F.conv2d: self._convolution,
                F.linear: self._linear,
                F.batch_norm: self._batch_norm,
                F.layer_norm: _layer_norm,
            }
        )

    def _convolution(
        self, func: Function, x: Tensor, weight: Tensor, bias: Tensor | None = None,
        *args: Any, **kwargs: Any,
    ) -> Tensor:  # fmt: skip
        z = func(x, weight, bias, *args, **kwargs)
        found = self._shared_out(z, x, weight, args, kwargs)
        self._last = (found, (x, weight, bias, args, kwargs))
        return found

    def _shared_out(self, z: Tensor, x: Tensor, weight: Tensor, args: Any, kwargs: Any) -> Tensor:
        if not self._positive:
            return _valued(z, z)
        parts = F.conv2d(x.clamp(min=0), weight.clamp(min=0), None, *args, **kwargs)
        if bool((x < 0).any()):  # after a ReLU there is none
            parts = parts + F.conv2d(x.clamp(max=0), weight.clamp(max=0), None, *args, **kwargs)
        return _valued(parts, z)

    def _linear(
        self, func: Function, x: Tensor, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        z = func(x, weight, bias)
        return _valued(z, z)

    def _batch_norm(
        self, func: Function, x: Tensor, mean: Tensor | None, variance: Tensor | None,
        weight: Tensor | None = None, bias: Tensor | None = None, *args: Any, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """The same as a convolution before it whose weights are scaled and whose bias is moved."""
        if mean is None or variance is None or kwargs.get("training", args[:1] == (True,)):
            return NotImplemented
        y = func(x, mean, variance, weight, bias, *args, **kwargs)
        eps = kwargs.get("eps", args[2] if len(args) > 2 else 1e-5)
        scale = (variance + eps).rsqrt() * (1.0 if weight is None else weight)
        if self._last is not None and x is self._last[0]:
            before, kernel, _, more, named = self._last[1]
            merged = kernel * scale.view(-1, *[1] * (kernel.ndim - 1))
            if not self._positive:
                merged_z = F.conv2d(before, merged, None, *more, **named)
                return _valued(merged_z + (y - merged_z).detach(), y)
            return self._shared_out(y, before, merged, more, named)
        return _valued(y, y)

    def _pointwise(self, func: Function, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        plain = x.detach()
        y = func(plain.clone(), *args, **kwargs)
        share = torch.where(plain != 0, y / torch.where(plain != 0, plain, 1.0), 0.0)
        # Where the input is 0 the output may be another number, which has to stay.
        rest = torch.where(plain != 0, 0.0, y)
        if in_place(func, kwargs):
            return x.mul_(share).add_(rest)
        return x * share + rest

    def _product(self, func: Function, a: Any, b: Any, *args: Any, **kwargs: Any) -> Any:
        both = isinstance(a, Tensor) and isinstance(b, Tensor)
        if not both or not (a.requires_grad and b.requires_grad):
            return NotImplemented
        if a.numel() == b.numel():
            return 0.5 * (a * b.detach() + a.detach() * b)
        return a.detach() * b if a.numel() < b.numel() else a * b.detach()


def _valued(parts: Tensor, z: Tensor) -> Tensor:
    """z, with the derivative of `parts` z / parts: the relevance of z is shared as `parts` says."""
    plain = parts.detach()
    little = EPSILON * plain.abs().mean().clamp(min=1e-30)
    share = z.detach() / (plain + torch.where(plain >= 0, little, -little))
    out = parts * share
    return out + (z.detach() - out.detach())  # the value itself, to the last bit or nearly


def _layer_norm(
    func: Function, x: Tensor, shape: Any, weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """The standard deviation counts as a constant (Ali et al. 2022, "XAI for Transformers")."""
    del func
    dims = tuple(range(-len(shape), 0))
    centered = x - x.mean(dims, keepdim=True)
    found = centered * (x.var(dims, correction=0, keepdim=True) + eps).rsqrt().detach()
    found = found if weight is None else found * weight
    return found if bias is None else found + bias


def _no_attention(func: Function, *args: Any, **kwargs: Any) -> Any:
    raise ExplorerError(
        "There is no rule of relevance propagation for attention here.",
        "Choose another method for this network.",
    )
