"""Batches of pictures as the networks that make them take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


def pictures_of(faces: NDArray[Any], device: torch.device, *, mirrored: bool = False) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32, -1..1; half of them mirrored at random."""
    pictures = torch.from_numpy(faces).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    if mirrored:
        chosen = torch.rand(len(pictures), 1, 1, 1, device=device) < 0.5
        pictures = torch.where(chosen, pictures.flip(3), pictures)
    return pictures.contiguous()
