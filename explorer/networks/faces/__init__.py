"""Networks that read faces: whose it may be, and how old it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.networks.faces.age import FaceAge
from explorer.networks.faces.embedding import FaceEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

FACES: dict[str, Callable[..., nn.Module]] = {
    "face_embedding": FaceEmbedding,
    "face_age": FaceAge,
}
"""Functions by the name that a model card gives under `architecture`."""

__all__ = ["FACES"]
