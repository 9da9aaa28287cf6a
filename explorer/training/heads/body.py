"""A trained classifier without its last layer: what new heads are attached to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from explorer.batch.features import head_of
from explorer.core.errors import ExplorerError
from explorer.networks.embedded import lite
from explorer.networks.embedded.lite import EfficientNetLite0
from explorer.networks.hooks import input_until

if TYPE_CHECKING:
    from explorer.networks.network import Network
    from explorer.networks.preprocess import Preprocess

BOX_SIDE = 224
"""Input of networks with a box head, in pixels; the whole photo is stretched to it."""

LITE = "EfficientNet-Lite0"


class Body:
    """What lies before the last layer of a network.

    Args:
        network: A classifier.
        whole: The whole photo is the input, without a crop: where places matter.

    Raises:
        ExplorerError: The network has no last fully connected layer, or `whole` is asked of
            another one than EfficientNet-Lite0.
    """

    def __init__(self, network: Network, *, whole: bool) -> None:
        self.network = network
        self.head = head_of(network.info)
        if not self.head:
            raise ExplorerError(
                f"{network.info.title} has no fully connected last layer to be replaced.",
                f"Choose another classification network, such as {LITE}.",
            )
        if whole and not isinstance(network.module, EfficientNetLite0):
            raise ExplorerError(
                f"Box and joint heads need {LITE} as the network.",
                f"Choose {LITE}, or train the class alone.",
            )
        steps = network.preprocess
        self.preprocess: Preprocess = (
            replace(steps, resize=(BOX_SIDE, BOX_SIDE), crop=None, interpolation="bilinear")
            if whole
            else steps
        )

    @property
    def last(self) -> nn.Linear:
        """The layer that is replaced."""
        layer = self.network.module.get_submodule(self.head)
        assert isinstance(layer, nn.Linear)
        return layer

    @torch.no_grad()
    def vectors(self, values: Tensor) -> Tensor:
        """(N, C, H, W) inputs -> (N, D) float32: what the last layer is given.

        Raises:
            ExplorerError: It is not given one vector for each photo.
        """
        module = self.network.module
        found = input_until(module, self.head, lambda: module(self._placed(values)))
        if found.ndim != 2 or len(found) != len(values):
            raise ExplorerError(
                f"The last layer of {self.network.info.title} is not given one vector per photo.",
                "Choose another network.",
            )
        vectors: Tensor = found.float()
        return vectors

    @torch.no_grad()
    def ends(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The last map (N, 1280, 7, 7) and its mean over places (N, 1280), float32."""
        last, vector, _ = self._lite().taps(self._placed(values))
        return last.float(), vector.float()

    @torch.no_grad()
    def middle(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The maps of strides 16 and 32: (N, 112, 14, 14) and (N, 320, 7, 7), float32."""
        _, middle, coarse = lite.body_maps(lite.stages(self._lite()), self._placed(values))
        return middle.float(), coarse.float()

    def _lite(self) -> EfficientNetLite0:
        module = self.network.module
        assert isinstance(module, EfficientNetLite0)
        return module

    def _placed(self, values: Tensor) -> Tensor:
        return values.to(self.network.device, self.network.dtype)
