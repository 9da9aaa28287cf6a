"""The deconvnet: one activation projected back to the pixels (Zeiler and Fergus 2014, section 2.1).

A deconvnet undoes layer after layer: a convolution by its transposed filters, max pooling by its
switches, a ReLU by a ReLU on the way back. The first two are what backpropagation does anyway; only
at a ReLU the two differ, which passes on what was positive forward, while the deconvnet passes on
what is positive backward (Springenberg et al. 2015, *Striving for Simplicity*, section 3.1). So the
backward pass runs as usual, and the rule of the rectifiers is replaced.

Batch normalization, which the paper's network does not have, is undone as a linear map, and
rectifiers with an upper end (ReLU6) and smooth ones (SiLU, GELU, Hardswish) count as ReLUs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import output_until
from explorer.vision.features.activations import laid_out, named_tensors

if TYPE_CHECKING:
    from collections.abc import Callable

_BACKWARD = frozenset({
    torch.ops.aten.threshold_backward, torch.ops.aten.hardtanh_backward,
    torch.ops.aten.silu_backward, torch.ops.aten.gelu_backward,
    torch.ops.aten.hardswish_backward, torch.ops.aten.leaky_relu_backward,
    torch.ops.aten.elu_backward,
})  # fmt: skip
"""What autograd calls at a rectifier; the first argument is the gradient behind it."""


class _Rectified(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Replaces the derivative of every rectifier by a ReLU on the gradient."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func.overloadpacket in _BACKWARD:
            gradient: Tensor = args[0] if args else (kwargs or {})["grad_output"]
            return gradient.clamp(min=0)
        return func(*args, **(kwargs or {}))


def deconvnet(
    module: nn.Module,
    images: Tensor | list[Tensor],
    layer: str,
    channel: int,
    cell: tuple[int, int],
) -> Tensor:
    """The projection of one activation to the input.

    Args:
        module: In eval mode.
        images: What it takes: (1, C, H, W), or a list with one (C, H, W), on its device.
        layer: The dotted name of one of its modules; its first call counts.
        channel: Of the activation.
        cell: Row and column of the activation.

    Returns:
        (1, C, H, W) in the frame of the input; zero where nothing leads to the activation. The
        activation itself is what is projected, so a larger one has a stronger picture.

    Raises:
        ExplorerError: The layer is unknown or does not depend on the photo.
    """
    picture = (images[0][None] if isinstance(images, list) else images).detach().clone()
    picture.requires_grad_()
    height, width = picture.shape[-2:]
    run: Callable[[], object] = (
        (lambda: module([picture[0]])) if isinstance(images, list) else lambda: module(picture)
    )
    with torch.enable_grad():
        parts = named_tensors(output_until(module, layer, run))
        if not parts or not parts[0][1].requires_grad:
            raise ExplorerError(
                f"The layer {layer!r} has no gradient with respect to the photo.",
                "Choose another layer.",
            )
        maps, _ = laid_out(parts[0][1], (int(height), int(width)))
        unit = maps[channel, cell[0], cell[1]]
        with _Rectified():  # type: ignore[no-untyped-call]
            (found,) = torch.autograd.grad(
                unit, picture, grad_outputs=unit.detach().clamp(min=0), allow_unused=True
            )
    return torch.zeros_like(picture) if found is None else found.detach()
