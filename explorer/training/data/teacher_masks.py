"""Masks that a trained network draws for photos that have boxes only.

A segmenter that learned from other photos is the teacher (Lee 2013, "Pseudo-Label"); the boxes
check it: what it draws outside every box of the class is taken to be unknown, and so is background
in a box whose class it did not draw.

    python -m explorer.training.data.teacher_masks --data POOL --teacher WEIGHTS --out FOLDER
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.models import mobilenet_v2
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation.deeplabv3 import ASPP, DeepLabV3

from explorer.evaluation.masks.folders import VOC_CLASSES
from explorer.training.data.canvases import UNSURE_PIXEL, pixels_of
from explorer.training.data.pool import Pool, masked, read_pool, with_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.training.data.pool import Boxes, PoolPhoto

SIDE = 385
"""The longer side of the teacher's input; of the form 32 k + 1, for which it was made."""

SURE = 0.6
"""Pixels of a lower probability are unknown."""

SHOWN = 0.2
"""Of a box of an object that must be drawn in its class, else its background is unknown."""

BORDER = 3
"""Side of the square around a pixel in which two classes make it unknown."""

UNKNOWN_ASPECT = 4 / 3

RARE = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "chair", "diningtable",
    "motorbike", "pottedplant", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""All but people and large animals: photos with a box of one of them get a mask."""


def deeplab_mobilenet() -> nn.Module:
    """The teacher: torchvision's DeepLabV3 on MobileNetV2 at stride 16, VOC's classes."""
    body = mobilenet_v2(weights=None).features[:18]
    for number in range(14, 18):
        depthwise = body[number].conv[1][0]
        depthwise.stride = (1, 1)
        if number > 14:
            depthwise.dilation = depthwise.padding = (2, 2)
    found: nn.Module = DeepLabV3(
        IntermediateLayerGetter(body, {"17": "out"}),
        nn.Sequential(ASPP(320, [], 256), nn.Conv2d(256, len(VOC_CLASSES), 1)),
    )
    return found.eval()


@torch.inference_mode()
def drawn(teacher: nn.Module, pixels: NDArray[np.uint8], aspect: float) -> NDArray[np.uint8]:
    """The teacher's mask of (H, W, 3) RGB: (H, W) classes, `UNSURE_PIXEL` at a low probability.

    Args:
        teacher: As `deeplab_mobilenet` makes it.
        pixels: The photo.
        aspect: Width / height as it was taken; 0 = unknown.
    """
    aspect = aspect or UNKNOWN_ASPECT
    longer, shorter = SIDE, round(SIDE / max(aspect, 1 / aspect))
    size = (longer, shorter) if aspect >= 1 else (shorter, longer)
    resized = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    image = torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 127.5 - 1
    scores = teacher(image.contiguous(memory_format=torch.channels_last))["out"]
    scores = nn.functional.interpolate(
        scores, pixels.shape[:2], mode="bilinear", align_corners=False
    )
    best, classes = scores.softmax(1)[0].max(0)
    mask = classes.numpy().astype(np.uint8)
    window = np.ones((BORDER, BORDER), np.uint8)
    unknown = (best.numpy() < SURE) | (cv2.dilate(mask, window) != cv2.erode(mask, window))
    mask[unknown] = UNSURE_PIXEL
    return mask


def checked(mask: NDArray[np.uint8], photo: PoolPhoto) -> NDArray[np.uint8]:
    """A drawn mask after the boxes had their say; see the module.

    Args:
        mask: Of the photo's size.
        photo: With VOC's classes. In its ignored regions a class may be, so it is neither taken
            away there nor is background.
    """
    found = mask.copy()
    for label in np.unique(mask):
        if 0 < label < UNSURE_PIXEL:
            allowed = _inside([*photo.boxes[photo.labels == label], *photo.ignored], mask.shape)
            found[(mask == label) & ~allowed] = UNSURE_PIXEL
    missed = [
        box
        for box, label in zip(photo.boxes, photo.labels, strict=True)
        if (mask[_slices(box)] == label).mean() < SHOWN
    ]
    found[(mask == 0) & _inside(missed, mask.shape)] = UNSURE_PIXEL
    return found


def _inside(boxes: list[Boxes], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    found = np.zeros(shape, np.bool_)
    for box in boxes:
        found[_slices(box)] = True
    return found


def _slices(box: Boxes) -> tuple[slice, slice]:
    x0, y0 = (max(0, int(v)) for v in box[:2])
    x1, y1 = (int(np.ceil(v)) for v in box[2:])
    return slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))


def wanted(pool: Pool, have: set[str]) -> list[PoolPhoto]:
    """The photos of VOC's classes with a box of one of `RARE` and whose stem is not in `have`."""
    rare = {pool.names.index(name) for name in RARE}
    return [p for p in pool.photos if p.path.stem not in have and rare & set(p.labels.tolist())]


def main() -> None:
    """Write a mask for every photo that `wanted` gives, where there is none in the folder yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, text in (
        ("--data", "pool of photos"), ("--teacher", "its weights"), ("--out", "folder of masks"),
    ):  # fmt: skip
        parser.add_argument(name, type=Path, required=True, help=text)
    args = parser.parse_args()
    teacher = deeplab_mobilenet().to(memory_format=torch.channels_last)
    weights = torch.load(args.teacher, map_location="cpu", weights_only=True)
    teacher.load_state_dict({name: value.float() for name, value in weights.items()})
    pool = read_pool(args.data)
    have = {photo.path.stem for photo in masked(pool, args.data).photos}
    os.makedirs(args.out, exist_ok=True)
    for photo in wanted(with_classes(pool, VOC_CLASSES), have):
        path = args.out / f"{photo.path.stem}.png"
        if not path.exists():
            pixels = pixels_of(photo)
            mask = checked(drawn(teacher, pixels, photo.aspect), photo)
            Image.fromarray(mask).save(path)


if __name__ == "__main__":
    main()
