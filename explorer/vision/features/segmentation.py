"""From the outputs of segmentation networks to classes and probabilities per pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from explorer.core.errors import ExplorerError
from explorer.networks.hooks import tensors_in

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.networks.preprocess import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """A class for every pixel of the network's input.

    Attributes:
        classes: (H, W) int32, the class with the largest logit.
        probabilities: (C, H, W) float16, softmax of the logits: half the memory, and 3 digits are
            enough to read.
    """

    classes: NDArray[np.int32]
    probabilities: NDArray[np.float16]

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 3 or self.probabilities.shape[1:] != self.classes.shape:
            raise ValueError(
                f"Segmentation.probabilities must be (C, {self.classes.shape}), "
                f"got {self.probabilities.shape}"
            )


def scores_of(output: Any, size: tuple[int, int]) -> Tensor:
    """The class scores before the softmax over the network's input: (C, H, W).

    Takes a tensor or torchvision's dict with `out` (its `aux` is for training). Scores on a coarser
    grid are enlarged bilinearly, corners not aligned, as torchvision's own networks do (Long et al.
    2015). A single channel is taken as the logit against a background of 0.

    Raises:
        ExplorerError: When the output is not one vector of scores per pixel.
    """
    found = [output["out"]] if isinstance(output, dict) and "out" in output else tensors_in(output)
    if not found or found[0].ndim != 4 or found[0].shape[0] != 1:
        shape = tuple(found[0].shape) if found else ()
        raise ExplorerError(
            f"This network's output has shape {shape}, not scores per class and pixel.",
            "Choose a segmentation network.",
        )
    scores = found[0].float()
    if scores.shape[1] == 1:
        scores = torch.cat([torch.zeros_like(scores), scores], dim=1)
    if scores.shape[-2:] != size:
        scores = F.interpolate(scores, size=size, mode="bilinear", align_corners=False)
    return scores[0]


@torch.no_grad()
def segmentation_of(output: Any, size: tuple[int, int]) -> Segmentation:
    """Classes and probabilities over a network input of (H, W) `size`; see `scores_of`."""
    scores = scores_of(output, size)
    return Segmentation(
        classes=scores.argmax(dim=0).to(torch.int32).cpu().numpy(),
        probabilities=scores.softmax(dim=0).half().cpu().numpy(),
    )


@torch.no_grad()
def coarser_answers(output: Any, size: tuple[int, int]) -> dict[str, NDArray[np.int32]]:
    """The network's outputs on its coarser grids, where it has them.

    FCN-8s adds the scores of finer maps to those of coarser ones (Long et al. 2015, section 4.2);
    a network with the outputs `out16` and `out32` beside `out` has earlier stages.

    Returns:
        The classes by stride, coarsest first, ``{"32": (H, W) int32, "16": …}``; often empty.
    """
    found = output if isinstance(output, dict) else {}
    strides = sorted(int(k[3:]) for k in found if k[:3] == "out" and k[3:].isdecimal())[::-1]
    return {
        str(stride): scores_of({"out": found[f"out{stride}"]}, size)
        .argmax(dim=0).to(torch.int32).cpu().numpy()
        for stride in strides
    }  # fmt: skip


def in_photo(answer: NDArray[np.int32], frame: Frame, size: tuple[int, int]) -> NDArray[np.int32]:
    """The classes of an input's pixels at the pixels of the photo; -1 outside of the input.

    Args:
        answer: (h, w).
        frame: From the photo to the input.
        size: (H, W) of the photo.
    """
    rows = np.floor((np.arange(size[0]) + 0.5) * frame.sy + frame.ty).astype(np.int64)
    columns = np.floor((np.arange(size[1]) + 0.5) * frame.sx + frame.tx).astype(np.int64)
    height, width = answer.shape
    found = answer[np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))]
    seen = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
    return np.where(seen, found, -1).astype(np.int32)
