"""A network's digest: equal for equal weights, whatever file they came from."""

from __future__ import annotations

import hashlib
import weakref
from functools import cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn


def weights_digest(module: nn.Module) -> str:
    """SHA-256 of names, shapes, types and numbers of the module's state dict, as 64 hex digits.

    The numbers of a GPU are read back; a billion bytes take about a second.
    """
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        if not isinstance(value, torch.Tensor):
            continue  # what a module keeps beside its tensors is its own affair
        digest.update(f"{name} {tuple(value.shape)} {value.dtype};".encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def lazily(module: nn.Module) -> Callable[[], str]:
    """`weights_digest`, computed when it is first needed; "" once the module is gone.

    The weights must stay as they are: a network that has learned on is another network.
    """
    held = weakref.ref(module)

    @cache
    def digest() -> str:
        alive = held()
        return weights_digest(alive) if alive is not None else ""

    return digest
