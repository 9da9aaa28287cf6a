"""The output of one layer for photos, without what lies behind it: for `embed` and `index`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from explorer.batch.job import EndsJob
from explorer.core.errors import ExplorerError
from explorer.networks.hooks import input_until, output_until
from explorer.vision.features.activations import named_tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.network_info import NetworkInfo
    from explorer.networks.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class LayerFeatures:
    """One layer of a network, or what it is given.

    Attributes:
        network: In eval mode.
        layer: The name of one of its layers.
        before: The layer's input is taken instead of its output.
    """

    network: Network
    layer: str
    before: bool = False

    @classmethod
    def of(cls, network: Network, layer: str = "") -> LayerFeatures:
        """The layer of that name; "" = the input of the head, else the network's default layer.

        Raises:
            ExplorerError: The network has no such layer.
        """
        head = "" if layer else head_of(network.info)
        name = layer or head or network.info.default_layer
        names = network.info.layer_names()
        if name not in names:
            raise ExplorerError(
                f"{network.info.title} has no layer {name!r}.",
                f"Its last ones are: {', '.join(names[-4:])}.",
            )
        return cls(network, name, before=bool(head))

    @property
    def title(self) -> str:
        return f"input of {self.layer}" if self.before else self.layer

    @torch.no_grad()
    def output(self, inputs: Sequence[Tensor]) -> Tensor:
        """What the layer gives, (N, …), for N network inputs (1, C, H, W) of one size.

        Of an output with several tensors it is the first one.

        Raises:
            EndsJob: It is not one entry for each photo.
        """
        network, until = self.network, input_until if self.before else output_until
        values = torch.cat(list(inputs)).to(network.device, network.dtype)
        given = values if network.preprocess.batched else [values[0]]
        found = named_tensors(until(network.module, self.layer, lambda: network.module(given)))
        output = found[0][1] if found else None
        if output is None or output.ndim < 2 or len(output) != len(inputs):
            raise EndsJob(
                f"The output of the layer {self.layer!r} is not one tensor for each photo.",
                "Choose another layer.",
            )
        return output


def head_of(info: NetworkInfo) -> str:
    """The last linear layer of a network for whole photos; "" where there is none."""
    if info.task not in ("classification", "localization"):
        return ""
    return next(reversed(info.layer_names("Linear")), "")
