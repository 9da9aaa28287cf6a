"""R-CNN step by step: regions, warped one by one, through a classifier, to linear SVMs.

Girshick et al. 2014, "Rich feature hierarchies". Nothing is shared between regions: every region is
cut out, stretched to a square and passed through the network alone. In the order of the paper:

    rcnn = load(path, body)                          # body: EfficientNet-Lite0 with its weights
    crops = warp(pixels, boxes, rcnn.side)           # (N, 3, side, side), the network's input
    seen = features(rcnn.body, crops)                # .vector (N, D) for the SVMs, .map (N, R)
    margins = scores(rcnn.heads, seen)               # (N, C), above 0 = the SVM is positive
    better = refined(rcnn.heads, seen, boxes)        # (N, C, 4), every class moves the box its way
    found = detect(rcnn, pixels, boxes)              # all of it, and suppression per class

`sppnet` is the same with one pass for all regions: its SVMs lie in the same file.

Boxes are (N, 4) float32 xyxy in the photo's pixels, y down, from any proposer: selective search,
the fixed proposals of resources/weights/fixed-proposals.npz times width and height, a hand-drawn
one. Class c of C is `rcnn.classes[c]`, there is no background among them; `Detections.labels` of
`detect` counts from 1 as a detector's do.

We differ from the paper in size: EfficientNet-Lite0, smaller squares, the context scaled
accordingly, the average of its last convolution instead of fc7, of which nothing but that
convolution was fine-tuned on regions, and one box regressor for all classes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.ops import batched_nms, roi_align
from torchvision.transforms import functional as tvf

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.lite import MEAN, STD, EfficientNetLite0, stages
from explorer.vision.detection.boxes import clip, decode
from explorer.vision.detection.detections import Detections

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

CONTEXT = 16 / 227
"""Of the warped square's side: the context around the region on every side (appendix A)."""

POOLED = 2
"""The map that the box regressors get is averaged to this many places each way."""

LONG = 1024
"""Regions are cut out of a photo that is at most so long."""

AT_ONCE = 64

NMS_IOU = 0.3
"""As in the paper."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What the network computed for N crops: `vector` is (N, D), `map` (N, R), both float32."""

    vector: Float32
    map: Float32


class RegionNetwork(nn.Module):
    """The features of a region: a body and a last convolution that was fine-tuned on regions.

    Args:
        body: (N, 3, h, w) normalized RGB -> the last map (N, C, h', w'); SPP-net pools it.
        head: A 1x1 convolution of it, followed by ReLU6; the average of its output goes to the
            SVMs of R-CNN.
    """

    def __init__(self, body: nn.Module, head: nn.Conv2d) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def taps(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, h, w) -> the map (N, C, h', w') and the vectors (N, D) of `vector`."""
        found = self.body(images)
        return found, self.vector(found)

    def vector(self, found: Tensor) -> Tensor:
        """(N, C, h', w') of the body -> (N, D)."""
        return functional.relu6(self.head(found)).mean(dim=(2, 3))


def region_network(model: EfficientNetLite0) -> RegionNetwork:
    """The classifier's stages and its own last convolution: before any fine-tuning.

    The stages are the classifier's very modules; the convolution is a new one, into which its
    normalization is folded.
    """
    own = model.eval()
    head = fuse_conv_bn_eval(own.conv_head, own.bn2)
    return RegionNetwork(stages(own), head).eval().requires_grad_(requires_grad=False)


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """A linear SVM and a box regressor for each of C classes.

    Attributes:
        svm_weight: (C, D) float32, with `svm_bias` (C,).
        reg_weight: (C, 4, R) float32, with `reg_bias` (C, 4): tx, ty, tw, th, see `boxes.decode`.
    """

    svm_weight: Float32
    svm_bias: Float32
    reg_weight: Float32
    reg_bias: Float32

    def __post_init__(self) -> None:
        count = len(self.svm_weight)
        for name, array, shape in (
            ("svm_weight", self.svm_weight, (count, self.svm_weight.shape[-1])),
            ("svm_bias", self.svm_bias, (count,)),
            ("reg_weight", self.reg_weight, (count, 4, self.reg_weight.shape[-1])),
            ("reg_bias", self.reg_bias, (count, 4)),
        ):
            if array.shape != shape:
                raise ValueError(f"Heads.{name} must be {shape}, got {array.shape}")


@dataclass(frozen=True, slots=True, eq=False)
class RCNN:
    """A network and the classifiers of its features.

    Attributes:
        body: In eval mode; crops go to its device.
        heads: For features of warped regions.
        pyramid: For features of `sppnet`.
        classes: C names.
        side: Of the warped squares.
        card: What was trained on what, and how good it is.
    """

    body: RegionNetwork
    heads: Heads
    pyramid: Heads
    classes: tuple[str, ...]
    side: int = 96
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for heads in (self.heads, self.pyramid):
            if len(heads.svm_weight) != len(self.classes):
                raise ValueError(
                    f"{len(heads.svm_weight)} SVMs for {len(self.classes)} classes: not one each"
                )


def load(path: Path, body: EfficientNetLite0) -> RCNN:
    """The fine-tuned convolution, SVMs and regressors in a .safetensors file with their card.

    Args:
        path: Of the file; its metadata hold the card.
        body: The classifier that they stand on, with its weights; it is left as it is.

    Raises:
        ExplorerError: The file is missing or is none of that kind.
    """
    try:
        with safe_open(path, "np") as file:
            arrays = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118
            card = json.loads(file.metadata()["card"])
        own = region_network(body)
        tuned = {key: torch.from_numpy(arrays[f"head.{key}"]) for key in ("weight", "bias")}
        own.head.load_state_dict(tuned)
        return RCNN(own, *heads_in(arrays), tuple(card["classes"]), card["side"], card)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ExplorerError(
            f"{path.name} contains no SVMs and box regressors.",
            "Train it with: explorer train lite-rcnn --data DIR",
        ) from error


PARTS = ("heads", "pyramid")


def heads_in(arrays: dict[str, Float32]) -> tuple[Heads, Heads]:
    """Those of R-CNN and of SPP-net, out of arrays "heads.svm_weight" … "pyramid.reg_bias".

    A regressor for all classes, (1, 4, R), is given to each of them.
    """
    first, second = (
        _for_every_class(
            {key.removeprefix(f"{p}."): a for key, a in arrays.items() if key.startswith(f"{p}.")}
        )
        for p in PARTS
    )
    return first, second


def _for_every_class(part: dict[str, Float32]) -> Heads:
    count = len(part["svm_weight"])
    shared = {
        key: np.repeat(part[key], count, axis=0) if len(part[key]) == 1 else part[key]
        for key in ("reg_weight", "reg_bias")
    }
    return Heads(**{**part, **shared})


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A photo as regions are cut out of it.

    Attributes:
        image: (1, 3, h + 2, w + 2) float32, normalized, with one pixel of the mean color around.
        scale: h and w are this many times the photo's; 1 but for large photos.
    """

    image: Tensor
    scale: float


def prepared(pixels: NDArray[np.uint8], device: torch.device | str = "cpu") -> Prepared:
    """(H, W, 3) uint8 RGB, resized where it is longer than `LONG`."""
    image = torch.from_numpy(np.array(pixels)).to(device).permute(2, 0, 1)[None]
    scale = min(1.0, LONG / max(pixels.shape[:2]))
    if scale < 1:
        size = [max(1, round(side * scale)) for side in pixels.shape[:2]]
        image = tvf.resize(image, size, antialias=True)
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    image = functional.pad((image.float() / 255 - mean) / std, (1, 1, 1, 1))  # 0 is the mean
    return Prepared(image, scale)


def warp(
    photo: NDArray[np.uint8] | Prepared,
    boxes: Float32,
    side: int,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Every region with its context, stretched to a square as the network needs it.

    The region fills the square but for `CONTEXT` on every side; what lies outside the photo has the
    mean color. Every pixel is the mean of what it covers (RoIAlign with enough samples).

    Args:
        photo: (H, W, 3) uint8 RGB; `prepared`, where regions are cut out of it again and again.
        boxes: (N, 4) in the photo's pixels.
        side: Of the squares.
        device: Where to compute, if the photo is not prepared.

    Returns:
        (N, 3, side, side) float32, normalized; `picture_of` makes them visible.
    """
    own = photo if isinstance(photo, Prepared) else prepared(photo, device)
    there = torch.from_numpy(np.asarray(boxes, np.float32)).to(own.image.device)
    around = with_context(there * own.scale)
    found: Tensor = roi_align(own.image, [around + 1], (side, side), aligned=True)
    return found


def with_context(boxes: Tensor) -> Tensor:
    """(N, 4) -> the same with as much around them as `warp` shows."""
    grow = (boxes[:, 2:] - boxes[:, :2]) * (CONTEXT / (1 - 2 * CONTEXT))
    return torch.cat([boxes[:, :2] - grow, boxes[:, 2:] + grow], dim=1)


def picture_of(crop: Tensor) -> NDArray[np.uint8]:
    """(3, side, side) of `warp` -> (side, side, 3) uint8 RGB."""
    mean, std = (torch.tensor(v, device=crop.device).view(3, 1, 1) for v in (MEAN, STD))
    rgb: NDArray[np.uint8] = (
        ((crop * std + mean).clamp(0, 1) * 255)
        .round()
        .to(torch.uint8)
        .permute(1, 2, 0)
        .cpu()
        .numpy()
    )
    return rgb


@torch.no_grad()
def features(body: RegionNetwork, crops: Tensor) -> Features:
    """One pass through the network for every crop, in batches of AT_ONCE."""
    device = next(body.parameters()).device
    vectors, maps = [], []
    for part in torch.split(crops, AT_ONCE):  # no crops: one empty part
        found, vector = body.taps(part.to(device).contiguous(memory_format=torch.channels_last))
        vectors.append(vector.float().cpu())
        maps.append(functional.adaptive_avg_pool2d(found.float(), POOLED).flatten(1).cpu())
    return Features(torch.cat(vectors).numpy(), torch.cat(maps).numpy())


def scores(heads: Heads, seen: Features) -> Float32:
    """(N, C) margins w[c] x + b[c]: above 0 the SVM is positive, above 1 with certainty."""
    margins: Float32 = seen.vector @ heads.svm_weight.T + heads.svm_bias
    return margins


def deltas(heads: Heads, seen: Features) -> Float32:
    """(N, C, 4) tx, ty, tw, th of every region and class, as `boxes.decode` takes them."""
    weight = heads.reg_weight.reshape(-1, heads.reg_weight.shape[-1])
    moves: Float32 = seen.map @ weight.T + heads.reg_bias.reshape(-1)
    return moves.reshape(len(seen.map), len(heads.reg_weight), 4)


def refined(heads: Heads, seen: Features, boxes: Float32) -> Float32:
    """(N, C, 4): each of the (N, 4) boxes as the regressor of each class moves it; not clipped."""
    count, classes = len(boxes), len(heads.svm_weight)
    each = np.repeat(np.asarray(boxes, np.float32), classes, axis=0)
    return decode(deltas(heads, seen).reshape(-1, 4), each).reshape(count, classes, 4)


def detect(
    rcnn: RCNN, pixels: NDArray[np.uint8], boxes: Float32, *, score: float = 0.0, most: int = 100
) -> Detections:
    """All steps: what is left of the regions, highest scores first.

    Args:
        rcnn: The parts.
        pixels: (H, W, 3) uint8 RGB.
        boxes: (N, 4) regions, in the photo's pixels.
        score: Smallest margin.
        most: The largest number of boxes.

    Returns:
        Detections with labels from 1 on and margins as scores; boxes are clipped to the photo.
    """
    device = next(rcnn.body.parameters()).device
    seen = features(rcnn.body, warp(pixels, boxes, rcnn.side, device))
    return judged(rcnn.heads, seen, boxes, pixels.shape[:2], score=score, most=most)


def judged(
    heads: Heads,
    seen: Features,
    boxes: Float32,
    size: tuple[int, ...],
    *,
    score: float = 0.0,
    most: int = 100,
) -> Detections:
    """From features to detections: SVMs, threshold, regression, suppression per class.

    The paper suppresses before it regresses; the order that is usual since Fast R-CNN gives better
    boxes.
    """
    margins = scores(heads, seen)
    moved = clip(refined(heads, seen, boxes), (size[0], size[1]))
    rows, labels = np.nonzero(margins > score)
    sure, found = margins[rows, labels], moved[rows, labels]
    keep = batched_nms(
        torch.from_numpy(found), torch.from_numpy(sure), torch.from_numpy(labels), NMS_IOU
    ).numpy()[:most]
    return Detections(found[keep], (labels[keep] + 1).astype(np.int64), sure[keep])
