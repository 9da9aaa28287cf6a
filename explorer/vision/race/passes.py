"""Whole passes of any network on one photo, timed stage by stage, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from explorer.core.runner import measuring
from explorer.vision.race.clock import STAGES, Clock, Runs
from explorer.vision.race.lanes import single_stage_parts, two_stage, two_stage_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.networks.network import Network

PREPROCESS = "preprocess"
ALL_STAGES = (PREPROCESS, *STAGES)
"""From the photo's pixels in memory to the output, in their order."""


def parts_of(network: Network) -> tuple[dict[str, tuple[nn.Module, ...]], str]:
    """By stage the modules that count for it, and the stage of what is left.

    A detector has the stages of `lanes`; any other network is one stage.
    """
    if two_stage(network):
        return two_stage_parts(network.module), "suppression"
    if network.info.task == "detection":
        return single_stage_parts(network.module), "suppression"
    return {}, "network"


class Passes:
    """Runs a network again and again on a photo; the first run only warms up.

    Attributes:
        output: Of the last run.
        values: (1, C, H, W), the input of the last run; None before the first.
    """

    def __init__(self, network: Network, pixels: NDArray[np.uint8]) -> None:
        self._network, self._pixels = network, pixels
        self._parts, self._rest = parts_of(network)
        self._runs: Runs[Mapping[str, float]] = Runs()
        self.output: Any = None
        self.values: Tensor | None = None

    @torch.no_grad()
    def once(self) -> None:
        """One more run; meanwhile nothing else runs."""
        network, clock = self._network, Clock(self._network.device)
        warm = self.values is not None
        with measuring():
            with clock.stage(PREPROCESS):
                values = network.preprocess(self._pixels).to(network.device, network.dtype)
            with clock.watching(self._parts, self._rest):
                self.output = network.module(values if network.preprocess.batched else [values[0]])
        self.values = values
        if warm:
            self._runs.add(sum(clock.seconds.values()), clock.seconds)

    @property
    def enough(self) -> bool:
        """Whether there are enough runs for the median to count."""
        return self._runs.enough

    @property
    def stages(self) -> Mapping[str, float]:
        """Seconds by stage of the median run."""
        return self._runs.median

    @property
    def seconds(self) -> tuple[float, ...]:
        """Of every measured run, ascending."""
        return self._runs.seconds
