"""A network: an eval-mode module plus what it needs to be used on a photo."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import torch
    from torch import nn

    from explorer.core.network_info import NetworkInfo
    from explorer.networks.preprocess import Preprocess

T = TypeVar("T")

MOST_KEPT = 4
"""Entries of a network's memo."""


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
    _memo: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)

    def memo(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make()` gave of this network alone, kept for all photos and frames of a film.

        Only the last `MOST_KEPT` that were asked for are kept.
        """
        if key not in self._memo:
            self._memo[key] = make()
            while len(self._memo) > MOST_KEPT:
                self._memo.popitem(last=False)
        self._memo.move_to_end(key)
        return cast("T", self._memo[key])

    def __repr__(self) -> str:
        info = self.info
        return f"<Network {info.title}: {info.task}, {info.weights_title}, on {info.device}>"
