"""What a detector found, in the photo's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from explorer.networks.preprocess import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N boxes, the highest score first, as the network gives them.

    Attributes:
        xyxy: (N, 4) float32, pixels of the photo, y down.
        labels: (N,) int64, index into the network's classes (0 is the background).
        scores: (N,) float32 in [0, 1].
        masks: (N, h, w) uint8 or None: probability of belonging to the object as floor(256 p), at
            most 255, over the network's input; `p >= k / 256` is exactly `masks >= k`.
        mask_extent: x0, y0, x1, y1 of the masks' rectangle in the photo's pixels.
        keypoints: (N, K, 3) float32 or None: x, y in the photo's pixels and torchvision's
        visibility.
        keypoint_scores: (N, K) float32 or None: the highest value of every keypoint's heat map.
    """

    xyxy: NDArray[np.float32]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    masks: NDArray[np.uint8] | None = None
    mask_extent: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    keypoints: NDArray[np.float32] | None = None
    keypoint_scores: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        for name, array, shape in (
            ("xyxy", self.xyxy, (n, 4)),
            ("labels", self.labels, (n,)),
            ("scores", self.scores, (n,)),
        ):
            if array.shape != shape:
                raise ValueError(f"Detections.{name} must be {shape}, got {array.shape}")
        if self.masks is not None and (self.masks.ndim != 3 or len(self.masks) != n):
            raise ValueError(f"Detections.masks must be ({n}, h, w), got {self.masks.shape}")
        if self.keypoints is not None and (self.keypoints.shape[::2] != (n, 3)):
            raise ValueError(
                f"Detections.keypoints must be ({n}, K, 3), got {self.keypoints.shape}"
            )

    def __len__(self) -> int:
        return len(self.xyxy)


@torch.no_grad()
def detections_of(output: Any, frame: Frame, size: tuple[int, int]) -> Detections:
    """The output of one of torchvision's detectors, moved into the photo's frame.

    Args:
        output: A list with one dict of `boxes` (N, 4), `labels` (N,), `scores` (N,), and where the
            network gives them `masks` (N, 1, h, w), `keypoints` (N, K, 3), `keypoints_scores` (N,
            K), all in pixels of the network's input.
        frame: From the photo to the network's input.
        size: Height and width of the network's input.

    Raises:
        ExplorerError: When the output is not of that kind.
    """
    entry = output[0] if isinstance(output, (list, tuple)) and output else output
    if not isinstance(entry, dict) or not {"boxes", "labels", "scores"} <= entry.keys():
        raise ExplorerError(
            "This network does not output boxes, labels and scores.", "Choose a detector."
        )
    back = frame.inverse()
    masks = entry.get("masks")
    keypoints = entry.get("keypoints")
    limb_scores = entry.get("keypoints_scores")
    return Detections(
        xyxy=back.boxes(_array(entry["boxes"])),
        labels=entry["labels"].cpu().numpy().astype(np.int64),
        scores=_array(entry["scores"]),
        masks=None if masks is None else _quantized(masks),
        mask_extent=back.extent(float(size[1]), float(size[0])),
        keypoints=None if keypoints is None else _moved(_array(keypoints), back),
        keypoint_scores=None if limb_scores is None else _array(limb_scores),
    )


def score_floor(module: nn.Module) -> float:
    """The score under which the network itself drops boxes; 0 when it does not say."""
    for holder in (getattr(module, "roi_heads", None), module):
        floor = getattr(holder, "score_thresh", None)
        if isinstance(floor, (int, float)):
            return float(floor)
    return 0.0


def instance_map(masks: NDArray[np.uint8], rows: NDArray[np.intp], level: int) -> NDArray[np.int32]:
    """Where each instance lies: (h, w) int32, the position in `rows`, or -1 for none.

    Args:
        masks: (N, h, w) as in `Detections`.
        rows: Instances to draw, the highest score first: it lies on top.
        level: A pixel belongs to an instance from this value of its mask on.
    """
    index = np.full(masks.shape[1:], -1, np.int32)
    for position in range(len(rows) - 1, -1, -1):
        index[masks[rows[position]] >= level] = position
    return index


def _array(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.detach().float().cpu().numpy()
    return array


def _quantized(masks: Tensor) -> NDArray[np.uint8]:
    # One at a time: all of a big photo's float masks a second time would double the peak of memory.
    if len(masks) == 0:
        return np.zeros((0, *masks.shape[-2:]), np.uint8)
    one = [(mask[0].float() * 256).clamp_(0, 255).to(torch.uint8).cpu() for mask in masks]
    array: NDArray[np.uint8] = torch.stack(one).numpy()
    return array


def _moved(keypoints: NDArray[np.float32], back: Frame) -> NDArray[np.float32]:
    moved = keypoints.copy()
    moved[..., 0] = keypoints[..., 0] * np.float32(back.sx) + np.float32(back.tx)
    moved[..., 1] = keypoints[..., 1] * np.float32(back.sy) + np.float32(back.ty)
    return moved
