"""The boxes of a localization network's classes, in the photo's own pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.networks.preprocess import Frame


@torch.no_grad()
def boxes_of(output: Any, frame: Frame, size: tuple[int, int]) -> NDArray[np.float32]:
    """A box for every class.

    Args:
        output: A dict of `logits` (1, C), `boxes` (1, 4) and, where every class has its own,
            `boxes_per_class` (1, C, 4): x0, y0, x1, y1 as fractions of the input.
        frame: From the photo to the network's input.
        size: Height and width of the network's input.

    Returns:
        (C, 4) float32 xyxy in the photo's pixels; all alike where one box serves all classes.

    Raises:
        ExplorerError: When the output is not of that kind.
    """
    if not isinstance(output, dict) or not {"logits", "boxes"} <= output.keys():
        raise ExplorerError(
            "This network does not output classes and one box.",
            "Choose a localization network, such as lite-boxes-conv.",
        )
    classes = output["logits"].shape[1]
    boxes = output.get("boxes_per_class", output["boxes"][:, None])[0]
    height, width = size
    scale = np.array([width, height, width, height], np.float32)
    fractions = boxes.expand(classes, 4).float().cpu().numpy()
    return frame.inverse().boxes(fractions * scale)
