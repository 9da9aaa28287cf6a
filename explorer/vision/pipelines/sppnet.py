"""SPP-net step by step: the network runs once on the photo, regions are cut out of its last map.

He et al. 2014, "Spatial Pyramid Pooling in Deep Convolutional Networks", section 4. Everything
behind the features is as in `rcnn`:

    image = resized(pixels, device)                  # (1, 3, h, w) as the network needs it
    found = last_map(rcnn.body, image)               # (1, C, h / 32, w / 32)
    seen = pooled(found, boxes, pixels.shape[:2])    # the largest values in 1 x 1 and 2 x 2 bins
    better = detect(rcnn, pixels, boxes)             # all of it, by the SVMs of rcnn.pyramid

We differ from the paper in one scale instead of five, a smaller pyramid, and SVMs that stand on the
pooled values without fully connected layers between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import roi_pool
from torchvision.transforms import functional as tvf

from explorer.networks.embedded.lite import MEAN, STD
from explorer.vision.pipelines.rcnn import Features, judged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.vision.detection.detections import Detections
    from explorer.vision.pipelines.rcnn import RCNN, RegionNetwork

    Float32 = NDArray[np.float32]

SHORT, LONG = 288, 576
"""The photo is resized to this short side, unless the other one would become too long."""

PYRAMID = (1, 2)
"""The last one alone is what the box regressors get."""


def resized(pixels: NDArray[np.uint8], device: torch.device | str = "cpu") -> Tensor:
    """(H, W, 3) uint8 RGB -> (1, 3, h, w) float32, normalized."""
    image = torch.from_numpy(np.array(pixels)).to(device).permute(2, 0, 1)[None]
    height, width = pixels.shape[:2]
    scale = min(SHORT / min(height, width), LONG / max(height, width))
    size = [max(16, round(side * scale)) for side in (height, width)]
    small = tvf.resize(image, size, antialias=True).float() / 255
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    normalized: Tensor = (small - mean) / std
    return normalized


@torch.no_grad()
def last_map(body: RegionNetwork, image: Tensor) -> Tensor:
    """The output of the body's last stage: (1, C, h, w)."""
    found: Tensor = body.body(image.contiguous(memory_format=torch.channels_last))
    return found


@torch.no_grad()
def pooled(found: Tensor, boxes: Float32, size: tuple[int, ...]) -> Features:
    """The features of every region.

    Args:
        found: (1, C, h, w) of `last_map`.
        boxes: (N, 4) in the photo's pixels.
        size: Height and width of the photo.

    Returns:
        `vector` (N, 5 C), `map` (N, 4 C); see `vision.detection.roi.spp`, to which it is equal.
    """
    height, width = found.shape[-2:]
    scale = np.array([width / size[1], height / size[0]] * 2, np.float32)
    cells = torch.from_numpy(np.asarray(boxes, np.float32) * scale).to(found.device)
    parts = [roi_pool(found.float(), [cells], (n, n)).flatten(1).cpu().numpy() for n in PYRAMID]
    return Features(np.concatenate(parts, axis=1), parts[-1])


def detect(
    rcnn: RCNN, pixels: NDArray[np.uint8], boxes: Float32, *, score: float = 0.0, most: int = 100
) -> Detections:
    """All steps, as `rcnn.detect`."""
    found = last_map(rcnn.body, resized(pixels, next(rcnn.body.parameters()).device))
    seen = pooled(found, boxes, pixels.shape[:2])
    return judged(rcnn.pyramid, seen, boxes, pixels.shape[:2], score=score, most=most)
