"""The part of a photo that excites a unit, and what of it the deconvnet gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.vision.attribution import gradients
from explorer.vision.attribution.targets import UnitTarget
from explorer.vision.features.receptive_field import fields

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.networks.network import Network
    from explorer.vision.features.receptive_field import Fields

    UInt8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The receptive field of one cell on a photo.

    Attributes:
        xyxy: Of the field, in pixels of the photo, within it.
        crop: (h, w, 3) uint8, the photo's own pixels there.
        inner: (4,) float32 xyxy, the field in pixels of the network's input.
        values: (1, C, H, W), the network's input.
    """

    xyxy: tuple[float, float, float, float]
    crop: UInt8
    inner: NDArray[np.float32]
    values: Tensor


def field_on_photo(
    network: Network,
    pixels: UInt8,
    values: Tensor,
    layer: str,
    cell: tuple[int, int],
    known: MutableMapping[Any, Fields],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The receptive field of a cell, (4,) xyxy each: in the network's input, and on the photo.

    Args:
        network: Any.
        pixels: (H, W, 3) uint8, the photo.
        values: (1, C, H, W), what the network takes of it.
        layer: The dotted name of a layer.
        cell: Row and column.
        known: The fields of all layers by size of input; what is new is added.

    Raises:
        ExplorerError: The layer does not run as a module, or has no such cell.
    """
    height, width = pixels.shape[:2]
    size = tuple(values.shape)
    if size not in known:
        given = values if network.preprocess.batched else [values[0]]
        known[size] = fields(network.module, given)
    found = known[size]
    cells = found[layer].xyxy
    row, column = cell if found[layer].spatial else (0, 0)
    if row >= cells.shape[0] or column >= cells.shape[1]:
        raise ExplorerError(
            f"The layer {layer!r} has no cell {row}, {column}.", "Choose another layer."
        )
    inner = found.frame.inverse().boxes(cells[row, column][None])[0]
    outer = network.preprocess.frame(height, width).inverse().boxes(inner[None])[0]
    limits = np.array([width, height, width, height], np.float32)
    return inner, np.clip(outer, 0, limits).astype(np.float32)


def patch_of(
    network: Network,
    pixels: UInt8,
    layer: str,
    cell: tuple[int, int],
    known: MutableMapping[Any, Fields],
) -> Patch:
    """The field of one cell on a photo; see `field_on_photo`.

    Raises:
        ExplorerError: As `field_on_photo`.
    """
    values = network.preprocess(pixels).to(network.device, network.dtype)
    inner, outer = field_on_photo(network, pixels, values, layer, cell, known)
    x0, y0, x1, y1 = _whole(outer, pixels.shape[1], pixels.shape[0])
    box = tuple(float(value) for value in outer)
    crop = np.ascontiguousarray(pixels[y0:y1, x0:x1])
    return Patch((box[0], box[1], box[2], box[3]), crop, inner, values)


def deconvnet_picture(
    network: Network, patch: Patch, layer: str, channel: int, cell: tuple[int, int]
) -> UInt8:
    """What the deconvnet gives back of one unit, within its field.

    Args:
        network: Any.
        patch: Of the cell.
        layer: The dotted name of a layer.
        channel: Of the unit.
        cell: Row and column of the unit.

    Returns:
        (h, w, 3) uint8 in the resolution of the network's input: gray where nothing leads to the
        activation.

    Raises:
        ExplorerError: As `gradients.projected`.
    """
    unit = UnitTarget(network.module, layer, channel, cell, network.preprocess.batched)
    found = gradients.projected(unit, patch.values)[0].float().cpu().numpy()
    x0, y0, x1, y1 = _whole(patch.inner, found.shape[2], found.shape[1])
    return signed_picture(found[:, y0:y1, x0:x1])


def _whole(box: NDArray[np.float32], width: int, height: int) -> tuple[int, int, int, int]:
    """The pixels that a box touches, at least one."""
    x0 = min(max(int(np.floor(box[0])), 0), width - 1)
    y0 = min(max(int(np.floor(box[1])), 0), height - 1)
    x1 = min(max(int(np.ceil(box[2])), x0 + 1), width)
    y1 = min(max(int(np.ceil(box[3])), y0 + 1), height)
    return x0, y0, x1, y1


def signed_picture(values: NDArray[np.float32]) -> UInt8:
    """(C, H, W) numbers around zero as colors: 0 is gray, the 1% largest are black or white."""
    sizes = np.abs(values[values != 0])
    most = float(np.quantile(sizes, 0.99)) if sizes.size else 0.0
    scaled = np.clip(values / most, -1, 1) if most > 0 else values
    rgb = np.round(127.5 + 127.5 * scaled).astype(np.uint8)
    channels = rgb if rgb.shape[0] == 3 else np.repeat(rgb[:1], 3, axis=0)
    return np.ascontiguousarray(channels.transpose(1, 2, 0))
