"""Networks that make pictures, and their critics: small, and of the families that courses teach.

None takes a photo for its class, so none is in the catalog; the views of the chapter load them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.networks.generative.autoencoder import FaceAutoencoder
from explorer.networks.generative.colorizer import Colorizer
from explorer.networks.generative.pixel_cnn import PixelNetwork
from explorer.networks.generative.style_gan import StyleGenerator
from explorer.networks.generative.super_resolution import SuperResolution
from explorer.networks.generative.translation import CycleTranslators, MapTranslators

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

GENERATIVE: dict[str, Callable[..., nn.Module]] = {
    "style_generator": StyleGenerator,
    "face_autoencoder": FaceAutoencoder,
    "pixel_network": PixelNetwork,
    "map_translators": MapTranslators,
    "cycle_translators": CycleTranslators,
    "super_resolution": SuperResolution,
    "colorizer": Colorizer,
}
"""Functions by the name that a model card gives under `architecture`."""

__all__ = ["GENERATIVE"]
