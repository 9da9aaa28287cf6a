"""ImageNet's class of the objects of a pool, as EfficientNet-Lite0 predicts for their boxes."""

from __future__ import annotations

import hashlib
import logging
import os
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from explorer.networks import shipped as packages
from explorer.networks.embedded.lite import (
    MEAN,
    STD,
    EfficientNetLite0,
    efficientnet_lite0,
    from_package,
)
from explorer.training.data.canvases import pixels_of
from explorer.training.lite_body import folded_maps
from explorer.training.loop import choose_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.training.data.pool import Pool

log = logging.getLogger(__name__)

CLASSIFIER = "efficientnet-lite0"

SURE = 0.7
"""The least probability of a prediction that is used."""

SIDE, MARGIN = 224, 256 / 224
"""Of the classifier's input, and how much larger than the object it is."""

LEAST_SIDE = 64
"""In pixels of the photo: smaller objects are too small for the classifier."""

BATCH = 32


def answers(
    pool: Pool, below: Mapping[str, frozenset[int]], cache: Path
) -> list[NDArray[np.int64]]:
    """For every photo the ImageNet labels (N,) of its N objects; -1 = not known.

    A prediction counts when its probability is at least `SURE` and its class is one of those
    under the object's category.

    Args:
        pool: With COCO's categories.
        below: For each of them ImageNet's labels; categories with fewer than two are not asked.
        cache: A folder in which the predictions are kept.

    Raises:
        ExplorerError: The classifier's package is not installed, or a photo cannot be read.
    """
    objects = list(_objects(pool, below))
    key = hashlib.sha256()
    for photo, row in objects:
        one = pool.photos[photo]
        key.update(f"{one.path.name} {one.boxes[row].tolist()} {one.labels[row]}\n".encode())
    file = cache / f"imagenet-answers-{key.hexdigest()[:12]}.npy"
    if os.path.isfile(file):
        labels = np.load(file)
    else:
        labels = _asked(pool, objects, below, choose_dtype(torch.device("cpu")))
        cache.mkdir(parents=True, exist_ok=True)
        np.save(file, labels)
    found = [np.full(len(photo.labels), -1, np.int64) for photo in pool.photos]
    for (photo, row), label in zip(objects, labels.tolist(), strict=True):
        found[photo][row] = label
    return found


def _objects(pool: Pool, below: Mapping[str, frozenset[int]]) -> Iterator[tuple[int, int]]:
    asked = np.array([len(below.get(name, ())) >= 2 for name in pool.names])
    for number, photo in enumerate(pool.photos):
        sides = (photo.boxes[:, 2:] - photo.boxes[:, :2]).min(axis=1, initial=np.inf)
        for row in np.flatnonzero(asked[photo.labels] & (sides >= LEAST_SIDE)):
            yield number, int(row)


@torch.inference_mode()
def _asked(
    pool: Pool,
    objects: list[tuple[int, int]],
    below: Mapping[str, frozenset[int]],
    dtype: torch.dtype,
) -> NDArray[np.int64]:
    path = packages.packaged(CLASSIFIER).verified()
    model = efficientnet_lite0().eval()
    model.load_state_dict(from_package(torch.load(path, map_location="cpu", weights_only=True)))
    model = model.to(memory_format=torch.channels_last)
    found: list[int] = []
    for start in range(0, len(objects), BATCH):
        some = objects[start : start + BATCH]
        probable = _probable(model, [_crop(pool, *one) for one in some], dtype)
        for (photo, row), best, label in zip(
            some, *(value.tolist() for value in probable.max(dim=1)), strict=True
        ):
            name = pool.names[pool.photos[photo].labels[row]]
            found.append(label if best >= SURE and label in below[name] else -1)
        if start % (BATCH * 20) == 0:
            log.info("%s answers: %d of %d objects", CLASSIFIER, start, len(objects))
    return np.array(found, np.int64)


def _probable(
    model: EfficientNetLite0, crops: list[NDArray[np.uint8]], dtype: torch.dtype
) -> torch.Tensor:
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        *_, last = folded_maps(model, (pixels - mean) / std)
        last = model.global_pool(model.act2(model.bn2(model.conv_head(last))))
        answer: torch.Tensor = model.classifier(last.flatten(1))
    return answer.float().softmax(dim=1)


def _crop(pool: Pool, number: int, row: int) -> NDArray[np.uint8]:
    photo = pool.photos[number]
    return square(pixels_of(photo), photo.boxes[row])


def square(pixels: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(SIDE, SIDE, 3): a square around the middle of a box, gray where the photo ends."""
    x0, y0, x1, y1 = box.tolist()
    side = max(x1 - x0, y1 - y0) * MARGIN
    scale = SIDE / side
    shift = ((x0 + x1 - side) / 2, (y0 + y1 - side) / 2)
    move = np.array([[scale, 0, -scale * shift[0]], [0, scale, -scale * shift[1]]], np.float32)
    found = cv2.warpAffine(
        pixels, move, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderValue=(127, 127, 127)
    )
    return found.astype(np.uint8, copy=False)
