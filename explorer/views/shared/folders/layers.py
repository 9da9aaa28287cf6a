"""The layer that a view of activations begins with, by what its cells are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.views.shared.common import default_layer

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

AUTOMATIC = "automatic"

_KINDS = ("ReLU", "SiLU", "GELU", "Hardswish", "ELU", "Mish", "Swish")


def layers_or_automatic(info: NetworkInfo) -> tuple[str, ...]:
    """The choices of a layer, the first of which leaves it to the view."""
    return (AUTOMATIC, *dict.fromkeys((default_layer(info), *info.layer_names())))


def activation_functions(info: NetworkInfo) -> tuple[str, ...]:
    """The layers that are activation functions, in the order of the network."""
    return tuple(
        layer.name
        for layer in info.layers
        if layer.leaf and any(kind in layer.kind for kind in _KINDS)
    )
