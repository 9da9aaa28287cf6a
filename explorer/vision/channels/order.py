"""Orders of a layer's channels: by the likeness of their maps, by what a class makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from explorer.vision.features.kernels import similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

COARSE = 14
"""Rows and columns that maps are averaged down to before they are compared."""


@torch.no_grad()
def map_similarity(maps: Float32) -> NDArray[np.intp]:
    """The order of (C, h, w) maps in which each is followed by the most similar one that is left.

    As `explorer.vision.features.kernels.similarity`, of maps of at most `COARSE` x `COARSE` cells
    from which their mean is taken: what counts is where a channel is active. Constant maps come
    last.

    Raises:
        ExplorerError: There are too many channels.
    """
    height, width = maps.shape[1:]
    values = torch.from_numpy(np.nan_to_num(maps))
    if height * width > 1:
        size = (min(height, COARSE), min(width, COARSE))
        values = nn.functional.adaptive_avg_pool2d(values, size)
        values = values - values.mean(dim=(1, 2), keepdim=True)
    rows: Float32 = values.flatten(1).numpy()
    rows = np.where(np.abs(rows).max(axis=1, keepdims=True) > 1e-6, rows, np.float32(0))
    return similarity(rows)


@torch.no_grad()
def class_weights(module: nn.Module, maps: Float32, logits: Float32) -> Float32 | None:
    """The weights of a classifier's last layer for the channels of one layer: (K, C).

    With `w` the weights and `b` the bias of the last linear layer, the logit of class k is ``b_k +
    sum_c w_kc mean_c``, where `mean_c` is the mean of channel c over its cells (global average
    pooling: Lin et al. 2014, Network In Network; used so by Zhou et al. 2016, CAM). None where the
    network does not compute its logits from these channels in this way, which is checked with its
    own numbers.

    Args:
        module: A classifier.
        maps: (C, h, w), what the layer gave for a photo.
        logits: (K,), the network's output for it.
    """
    last = _last(module, len(maps), len(logits))
    if last is None:
        return None
    weight = last.weight.detach().float().flatten(1)
    bias = torch.zeros(len(weight)) if last.bias is None else last.bias.detach().float()
    means = torch.from_numpy(maps.reshape(len(maps), -1).mean(axis=1)).to(weight)
    found = (weight @ means + bias.to(weight)).cpu().numpy()
    if not np.allclose(found, logits, rtol=1e-2, atol=1e-2 * max(float(np.abs(logits).max()), 1.0)):
        return None
    weights: Float32 = weight.cpu().numpy().copy()
    return weights


def _last(module: nn.Module, channels: int, classes: int) -> nn.Linear | nn.Conv2d | None:
    """The last linear layer, if it has these inputs and outputs; a 1 x 1 convolution is one."""
    for layer in reversed(list(module.modules())):
        if isinstance(layer, nn.Linear):
            fits = (layer.in_features, layer.out_features) == (channels, classes)
            return layer if fits else None
        if isinstance(layer, nn.Conv2d):
            fits = (layer.in_channels, layer.out_channels) == (channels, classes)
            return layer if fits and layer.kernel_size == (1, 1) else None
    return None
