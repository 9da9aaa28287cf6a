"""Class activation maps: a layer's feature maps, weighted by what they mean for a target.

The graph is made from the layer on only: a map costs little more than the forward pass. With
activations A (channels k, cells ij) and the gradient g = dz/dA of the target's score z:

- Grad-CAM: relu(sum_k mean_ij(g_k) A_k), Selvaraju et al. 2017, equations 1 and 2.
- Grad-CAM++: weights sum_ij a_kij relu(g_kij), Chattopadhay et al. 2018, equations 10, 11 and 19.
- Layer-CAM: relu(sum_k relu(g_kij) A_kij), Jiang et al. 2021, equations 5 to 7.
- Eigen-CAM: the first principal component of A, Muhammad and Yeasin 2020; it knows no target.
- Score-CAM: weights from the scores of the input masked by each A_k, Wang et al. 2020.

The tokens of a transformer are laid out as cells; a class token is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import captured, rerouted
from explorer.networks.preprocess import SAME_FRAME, Frame, grid_frame
from explorer.vision.attribution.gradients import CHUNK
from explorer.vision.attribution.maps import Attribution, at_pixels
from explorer.vision.attribution.targets import measured
from explorer.vision.features.activations import (
    RESIZE,
    detector_frame,
    laid_out,
    layers_read,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from explorer.vision.attribution.targets import Reading, Target

PARTS = ("backbone", "body")
"""Where the maps of a network with several parts come from."""
TRIED = 12
"""Layers whose gradients are computed at once in the search for one."""


class Cells(NamedTuple):
    """A layer's activations and gradients, both (C, h, w) float32, and where the cells lie.

    `frame` leads from the pixels of the input to the cells. The gradients are all zero where the
    target does not depend on the layer.
    """

    activations: Tensor
    gradients: Tensor
    frame: Frame
    read: Reading


def cells(target: Target, values: Tensor, layer: str) -> Cells:
    """One forward pass with the graph from `layer` on, and the way back to it.

    Of a layer that runs several times the last call counts that the target depends on: a detector's
    head runs on every map of a pyramid.

    Args:
        target: What is attributed.
        values: (1, C, H, W).
        layer: Dotted name; its cells must be places of the input.

    Raises:
        ExplorerError: The layer is unknown, was not called, or its cells are no places.
    """
    (found,), inner, source, read = _watched(target, values, (layer,))
    if not found:
        raise ExplorerError(
            f"The target does not use the layer {layer!r}.", "Choose another layer."
        )
    used = [pair for pair in found if bool(pair[1].any())] or found
    activations, gradients = used[-1]
    maps, spatial = laid_out(activations, source)
    if not spatial or len(activations) != 1:
        raise ExplorerError(
            f"The cells of the layer {layer!r} are no places of the photo.",
            "Choose a layer before the pooling.",
        )
    slopes, _ = laid_out(gradients, source)
    frame = inner.then(grid_frame(source, (int(maps.shape[1]), int(maps.shape[2]))))
    return Cells(maps.float(), slopes.float(), frame, read)


Watched = list[tuple[Tensor, Tensor]]
"""Output and gradient of every call of a layer that gave one tensor."""


def _watched(
    target: Target, values: Tensor, layers: Sequence[str]
) -> tuple[list[Watched], Frame, tuple[int, int], Reading]:
    """For each layer its calls; the frame of the network's own input, its (H, W), the reading."""
    module = target.module
    taken: dict[str, list[Tensor]] = {name: [] for name in layers}

    def take(name: str) -> Callable[[Tensor], Tensor]:
        def change(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point():
                return tensor
            # The graph begins at the first layer; what depends on another one keeps its own.
            here = tensor if tensor.requires_grad else tensor.detach().requires_grad_()
            taken[name].append(here)
            return here.clone()

        return change

    height, width = int(values.shape[-2]), int(values.shape[-1])
    resizes = [name for name in layers_read(module, layers[0]) if name == RESIZE]
    with (
        captured(module, resizes, convert=lambda tensor: tensor) as records,
        rerouted(module, {name: take(name) for name in layers}),
        torch.enable_grad(),
    ):
        read = target(values)
        score = read.score.sum()
    all_taken = [tensor for name in layers for tensor in taken[name]]
    grads: Sequence[Tensor | None] = [None] * len(all_taken)
    if all_taken and score.requires_grad:
        grads = torch.autograd.grad(score, all_taken, allow_unused=True)
    slopes = iter(
        torch.zeros_like(tensor) if grad is None else grad
        for tensor, grad in zip(all_taken, grads, strict=True)
    )
    found = [[(tensor.detach(), next(slopes)) for tensor in taken[name]] for name in layers]
    inner, source = SAME_FRAME, (height, width)
    for record in records.get(RESIZE, []):
        inner, source = detector_frame(record[0], (height, width))
    return found, inner, source, read


def cam_layer(target: Target, values: Tensor) -> str:
    """The last layer whose maps the target's score depends on at more than one cell.

    Poolings do not count: the layer before them has more cells. In a detector it is the map that
    the box was cut from, in a transformer the last tokens that all go into the score.

    Args:
        target: What is attributed.
        values: (1, C, H, W).

    Raises:
        ExplorerError: The network has no such layer.
    """
    names = _with_maps(target, values)
    for end in range(len(names), 0, -TRIED):
        some = names[max(0, end - TRIED) : end]
        found, _, source, _ = _watched(target, values, some)
        for name, calls in reversed(list(zip(some, found, strict=True))):
            if any(_uses_cells(slope, source) for _, slope in calls):
                return name
    raise ExplorerError(
        "This network has no layer with a map that the target depends on.",
        "Choose another target, or a method that needs no layer.",
    )


def _uses_cells(slope: Tensor, source: tuple[int, int]) -> bool:
    maps, spatial = laid_out(slope, source)
    return spatial and len(slope) == 1 and int((maps != 0).any(0).sum()) > 1


def _with_maps(target: Target, values: Tensor) -> list[str]:
    """Layers of the backbone that give one tensor with cells, in the order in which they end."""
    module = target.module
    part = next((name for name in PARTS if isinstance(getattr(module, name, None), nn.Module)), "")
    modules = {
        name: child
        for name, child in module.named_modules()
        if name and (not part or f"{name}.".startswith(f"{part}."))
    }
    ended: list[tuple[str, tuple[int, ...]]] = []  # with an empty shape: no cells
    leaf = ""  # the one that ran last: a container ends with its last leaf
    source = (int(values.shape[-2]), int(values.shape[-1]))

    def note(name: str) -> Callable[[Tensor], Tensor]:
        child = modules[name]

        def look(tensor: Tensor) -> Tensor:
            nonlocal leaf
            if next(child.children(), None) is None:
                leaf = type(child).__name__
            has = tensor.numel() > 0 and "Pool" not in leaf and laid_out(tensor, source)[1]
            several = bool(ended) and ended[-1][0] == name  # such as the maps of a pyramid
            ended.append((name, tuple(tensor.shape) if has and not several else ()))
            return tensor

        return look

    with torch.no_grad(), rerouted(module, {name: note(name) for name in modules}):
        target(values)
    last: dict[str, tuple[int, ...]] = {}
    for name, shape in ended:  # a layer that runs again ends where it ran last
        last.pop(name, None)
        last[name] = shape
    return [name for name, shape in last.items() if shape and shape[0] == 1]


def grad_cam(target: Target, values: Tensor, layer: str) -> Attribution:
    """See the head of the module; (h, w) at least 0, one value per cell."""
    return _of_cells(cells(target, values, layer), grad_cam_of)


def grad_cam_plus_plus(target: Target, values: Tensor, layer: str) -> Attribution:
    """See the head of the module; for the exponential of the score, as the paper derives it."""
    return _of_cells(cells(target, values, layer), plus_plus_of)


def layer_cam(target: Target, values: Tensor, layer: str) -> Attribution:
    """See the head of the module: every cell has its own weights."""
    return _of_cells(cells(target, values, layer), layer_cam_of)


def eigen_cam(target: Target, values: Tensor, layer: str) -> Attribution:
    """See the head of the module: no gradient goes in, so it is the same for all targets."""
    seen = cells(target, values, layer)
    note = "It does not depend on the target."
    return Attribution.of(eigen_of(seen.activations), seen.read, seen.frame, note=note)


def grad_cam_of(activations: Tensor, gradients: Tensor) -> Tensor:
    """(h, w) of two (C, h, w)."""
    return torch.einsum("k,kij->ij", gradients.mean((1, 2)), activations).clamp(min=0)


def plus_plus_of(activations: Tensor, gradients: Tensor) -> Tensor:
    """(h, w) of two (C, h, w)."""
    squares = gradients.square()
    below = 2 * squares + activations.sum((1, 2), keepdim=True) * squares * gradients
    share = torch.where(below != 0, squares / torch.where(below != 0, below, 1.0), 0.0)
    weights = (share * gradients.clamp(min=0)).sum((1, 2))
    return torch.einsum("k,kij->ij", weights, activations).clamp(min=0)


def layer_cam_of(activations: Tensor, gradients: Tensor) -> Tensor:
    """(h, w) of two (C, h, w)."""
    return (gradients.clamp(min=0) * activations).sum(0).clamp(min=0)


def eigen_of(activations: Tensor) -> Tensor:
    """(h, w): A projected on its first right singular vector, the sign that of the larger side.

    As published, without centering.
    """
    flat = activations.flatten(1).T  # cells x channels
    _, _, right = torch.linalg.svd(flat, full_matrices=False)
    found: Tensor = (flat @ right[0]).view(activations.shape[1:])
    return (found if float(found.sum()) >= 0 else -found).clamp(min=0)


def score_cam(
    target: Target, values: Tensor, layer: str, baseline: Tensor, *, most: int
) -> Iterator[Attribution]:
    """Feature maps weighted by the softmax of how much each raises the score as a mask.

    Args:
        target: What is attributed; for a class fix the class.
        values: (1, C, H, W).
        layer: As in `cells`.
        baseline: (1, C, H, W): what stands where a mask is 0, and what scores are compared with.
        most: Channels at most: those with the largest sum; all others count as nothing.

    Source: Wang et al. 2020, "Score-CAM", equations 5 to 7 and algorithm 1.
    """
    seen = cells(target, values, layer)
    order = seen.activations.flatten(1).sum(1).argsort(descending=True)[:most]
    maps = seen.activations[order]
    size = (int(values.shape[-2]), int(values.shape[-1]))
    floor = float(measured(target, baseline).score[0])
    scores = torch.full((len(maps),), -torch.inf, device=maps.device)
    note = (
        ""
        if len(maps) == len(seen.activations)
        else (f"The {len(maps)} strongest of {len(seen.activations)} channels.")
    )
    for start in range(0, len(maps), CHUNK):
        some = maps[start : start + CHUNK]
        masks = torch.stack([at_pixels(Attribution(one, seen.frame), size) for one in some])
        low, high = masks.amin((1, 2), keepdim=True), masks.amax((1, 2), keepdim=True)
        masks = ((masks - low) / (high - low).clamp(min=1e-12))[:, None].to(values)
        scores[start : start + len(some)] = (
            measured(target, baseline + masks * (values - baseline)).score - floor
        )
        weights = scores.softmax(0)
        found = torch.einsum("k,kij->ij", weights, maps).clamp(min=0)
        yield Attribution.of(
            found, seen.read, seen.frame, done=start + len(some), total=len(maps), note=note
        )


def _of_cells(found: Cells, make: Callable[[Tensor, Tensor], Tensor]) -> Attribution:
    return Attribution.of(make(found.activations, found.gradients), found.read, found.frame)
