"""The features of several layers in one forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import captured
from explorer.vision.features.activations import laid_out, named_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo
    from explorer.networks.network import Network

_SILENT = ("Dropout", "Flatten", "Identity", "DropPath", "StochasticDepth")


def stage_layers(info: NetworkInfo, head: str = "", most: int = 8) -> tuple[str, ...]:
    """Layers over the depth of a network: its blocks, else its convolutions, and what is last.

    Args:
        info: Of the network.
        head: The last linear layer; what comes before it is taken, not it itself. "" = none.
        most: At most so many, evenly spaced, the last one among them.
    """
    names = [layer.name for layer in info.layers]
    before = info.layers[: names.index(head)] if head in names else info.layers
    blocks = [layer for layer in before if not layer.leaf and layer.name.count(".") == 1]
    if len(blocks) < 3:
        blocks = [layer for layer in before if layer.kind == "Conv2d"]
    if not blocks:
        blocks = [layer for layer in before if layer.leaf]
    loud = [layer for layer in before if layer.leaf and layer.kind not in _SILENT]
    found = [layer.name for layer in blocks]
    if loud and not any(loud[-1].name.startswith(f"{name}.") for name in found[-1:]):
        found.append(loud[-1].name)
    found = list(dict.fromkeys(found))
    if len(found) > most:
        places = np.linspace(0, len(found) - 1, most).round().astype(int)
        found = [found[place] for place in places.tolist()]
    return tuple(found)


@torch.no_grad()
def pooled_features(
    network: Network, layers: Sequence[str], inputs: Sequence[Tensor]
) -> Mapping[str, NDArray[np.float32]]:
    """The mean of every channel over the cells of several layers.

    Args:
        network: In eval mode.
        layers: Dotted names; of a layer that is called several times the first call counts.
        inputs: N network inputs (1, C, H, W) of one size; a single one where the network does not
            take batches.

    Returns:
        (N, C) by layer; layers that do not run, or not once for each photo, are left out.

    Raises:
        ExplorerError: None of the layers has an output for each photo.
    """
    values = torch.cat(list(inputs)).to(network.device, network.dtype)
    height, width = int(values.shape[-2]), int(values.shape[-1])

    def pooled(tensor: Tensor) -> Tensor:
        if tensor.ndim < 2 or len(tensor) != len(values) or not tensor.numel():
            return torch.empty(0)
        maps = [laid_out(tensor, (height, width), item)[0] for item in range(len(values))]
        return torch.stack([each.float().flatten(1).mean(1) for each in maps]).cpu()

    with captured(network.module, layers, convert=pooled) as records:
        network.module(values if network.preprocess.batched else [values[0]])
    found = {}
    for layer in layers:
        parts = named_tensors(records[layer][0]) if records[layer] else []
        if parts and parts[0][1].numel():
            found[layer] = parts[0][1].numpy()
    if not found:
        raise ExplorerError(
            "None of the network's layers has an output for each photo.", "Choose another network."
        )
    return found
