"""The weights of the package `mtcnn`: found without importing it, which would want TensorFlow."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

from explorer.core.errors import ExplorerError
from explorer.networks.faces.cascade import Cascade
from explorer.networks.faces.packed_arrays import read_packed
from explorer.networks.packaged import Packaged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from explorer.core.layers import Float32

VERSION = "1.0.0"

FILES = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
"""SHA-256 of the three files, by the network."""

_LAST = {
    "pnet": ("conv4_2", "conv4_1"),
    "rnet": ("fc5_2", "fc5_1"),
    "onet": ("fc6_2", "fc6_3", "fc6_1"),
}
"""The package keeps the box first and the score last."""


def packages() -> dict[str, Packaged]:
    """Where the three files are, by the network."""
    return {
        name: Packaged("mtcnn", f"mtcnn/assets/weights/{name}.lz4", digest)
        for name, digest in FILES.items()
    }


def load_cascade() -> Cascade:
    """The cascade with the weights of the package, on the CPU.

    Raises:
        ExplorerError: The package or lz4 is not installed, or a file is not as published.
    """
    cascade = Cascade()
    for name, package in packages().items():
        if package.path() is None:
            raise ExplorerError(
                f"The weights of the face detector come with the package mtcnn {VERSION}, which "
                "is not installed.",
                f"Install it: pip install mtcnn=={VERSION} (it works without TensorFlow here).",
            )
        fill(cascade.get_submodule(name), read_packed(package.verified()), _LAST[name])
    return cascade


@cache
def kept_cascade() -> Cascade:
    """The same, loaded once; its weights must not be changed."""
    return load_cascade()


def fill(network: nn.Module, arrays: Sequence[Float32], last: Sequence[str]) -> None:
    """Writes the arrays into one of the three networks.

    Args:
        network: A `PNet`, `RNet` or `ONet`.
        arrays: As Keras keeps them, layer by layer: a convolution's kernel (h, w, in, out) and
            bias, a PReLU's slopes (1, 1, C) or (C,), a dense layer's matrix (in, out) and bias.
        last: Names of the last layers in the order of `arrays`.

    Raises:
        ExplorerError: The arrays are of another network.
    """
    names = [name for name, layer in network.named_children() if list(layer.parameters())]
    names[len(names) - len(last) :] = last
    wanted = dict(network.named_parameters())
    found: dict[str, torch.Tensor] = {}
    queue = list(arrays)
    try:
        for name in names:
            for part in ("weight", "bias"):
                if f"{name}.{part}" in wanted:
                    shape = wanted[f"{name}.{part}"].shape
                    found[f"{name}.{part}"] = _turned(queue.pop(0), shape)
        network.load_state_dict(found)
    except (IndexError, ValueError, RuntimeError) as error:
        raise ExplorerError(
            "The weights of the package mtcnn are those of another network.",
            f"Install it again: pip install --force-reinstall mtcnn=={VERSION}",
        ) from error


def _turned(array: Float32, shape: torch.Size) -> torch.Tensor:
    """From the order of Keras to that of torch."""
    if array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)
    elif array.ndim == 2 and array.shape[0] % 9 == 0:
        # The package flattens maps of 3 x 3 cells column by column, all channels of a cell in turn.
        cells = array.reshape(3, 3, -1, array.shape[1])
        array = cells.transpose(3, 2, 1, 0).reshape(array.shape[1], -1)
    elif array.ndim == 2:
        array = array.T
    return torch.from_numpy(array.reshape(tuple(shape)).copy())
