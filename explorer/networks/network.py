"""A network: an eval-mode module plus what it needs to be used on a photo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from explorer.core.network_info import NetworkInfo
    from explorer.networks.preprocess import Preprocess


@dataclass(slots=True, eq=False, repr=False)
class Network:
    """The module itself, touched by the runner's thread only.

    Attributes:
        info: The plain facts.
        module: In eval mode, on its device.
        preprocess: From (H, W, 3) uint8 to what `module` is called with.
        device: Where `module` is.
        dtype: Of its floating-point weights.
        extras: "architecture" and "variant": the catalog's words for what was built; what else
            views keep with it.
    """

    info: NetworkInfo
    module: nn.Module
    preprocess: Preprocess
    device: torch.device
    dtype: torch.dtype
    extras: dict[str, object] = field(default_factory=dict)

    def __repr__(self) -> str:
        info = self.info
        return f"<Network {info.title}: {info.task}, {info.weights_title}, on {info.device}>"
