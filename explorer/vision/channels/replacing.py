"""One channel of a layer set to a number, and the network's output with it.

A unit that is switched off like this is an ablation: what changes in the output depends on it
(Morcos et al. 2018, On the Importance of Single Directions for Generalization).
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from explorer.networks.hooks import map_tensors, replaced
from explorer.vision.features.activations import channels_last

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn


def channel_axis(shape: tuple[int, ...], source: tuple[int, int]) -> int:
    """The axis of a layer's tensor that its channels are along, as `activations.laid_out` has it.

    Args:
        shape: Of the tensor.
        source: Height and width of the picture.
    """
    match len(shape):
        case 0 | 1:
            return 0
        case 3:
            return 2
        case 4:
            return 3 if channels_last(shape, source) else 1
    return 1


@contextmanager
def channel_set(
    module: nn.Module,
    layer: str,
    channel: int,
    value: float,
    *,
    source: tuple[int, int],
    call: int = 0,
    part: int = 0,
) -> Iterator[None]:
    """Inside the `with` one channel of a layer's output has one value in all cells.

    Args:
        module: The network.
        layer: Dotted name of one of its modules.
        channel: Beyond the last = the last.
        value: What it is set to; 0 knocks it out.
        source: Height and width of the picture.
        call: Which call of a layer that runs several times.
        part: Which tensor of an output that has several.

    Raises:
        ExplorerError: When the network has no such layer.
    """

    def change(output: Any, number: int) -> Any:
        if number != call:
            return output
        tensors = itertools.count()

        def set_one(tensor: Tensor) -> Tensor:
            if next(tensors) != part or not tensor.numel():
                return tensor
            axis = channel_axis(tuple(tensor.shape), source)
            changed = tensor.clone()
            whole = changed.unsqueeze(0) if changed.ndim == 0 else changed
            whole.select(axis, min(channel, whole.shape[axis] - 1)).fill_(value)
            return changed

        return map_tensors(output, set_one)

    with replaced(module, {layer: change}):
        yield
