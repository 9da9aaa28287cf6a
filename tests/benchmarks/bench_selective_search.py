"""Our selective search beside OpenCV's: time and average recall, and how fast the view follows.

Run it by name: ``pytest tests/benchmarks/bench_selective_search.py -s``. Both fast modes take turns
on the same photos in one run, OpenCV's compiled with one thread, as ours has. The photos are three
of coco-mini with the objects of its annotations; where it is absent, three that are drawn here.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.core.params import Point
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.views.classic.selective_search.view import VIEW, Params
from explorer.vision.classic.selective_search import regions
from explorer.vision.detection.boxes import recall
from tests.data import shared_data
from tests.toys import toy_network

pytestmark = pytest.mark.benchmark

MOST = 2000
TURNS = 3
THRESHOLDS = np.arange(0.5, 1.0, 0.05).tolist()
LARGEST_RATIO = 1.5
MARGIN = 0.03
MOVES = 40
LIMIT_MS = 33.0

Photo = tuple[NDArray[np.uint8], NDArray[np.float32]]


def photos() -> list[Photo]:
    folder = shared_data("coco-mini")
    if folder is None:
        return [drawn(seed) for seed in range(3)]
    listed = json.loads((folder / "instances.json").read_text())
    found: list[Photo] = []
    for image in listed["images"]:
        boxes = [
            (x, y, x + w, y + h)
            for entry in listed["annotations"]
            for x, y, w, h in [entry["bbox"]]
            if entry["image_id"] == image["id"] and not entry.get("iscrowd")
        ]
        if boxes and len(found) < 3:
            bgr = cv2.imread(str(folder / "images" / image["file_name"]))
            found.append((np.ascontiguousarray(bgr[..., ::-1]), np.array(boxes, np.float32)))
    return found


def drawn(seed: int) -> Photo:
    """480 x 640 pixels with twelve noisy ellipses."""
    rng = np.random.default_rng(seed)
    picture = np.full((480, 640, 3), 120.0)
    boxes = []
    for number in range(12):
        x, y = 80 + number % 4 * 160, 80 + number // 4 * 160
        across, down = (int(side) for side in rng.integers(15, 75, 2))
        ink = tuple(float(value) for value in rng.integers(0, 255, 3))
        cv2.ellipse(picture, (x, y), (across, down), 0, 0, 360, ink, -1)
        boxes.append((x - across, y - down, x + across + 1, y + down + 1))
    noisy = picture + rng.normal(0, 9, picture.shape)
    return noisy.clip(0, 255).astype(np.uint8), np.array(boxes, np.float32)


def opencv(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(pixels[..., ::-1]))
    search.switchToSelectiveSearchFast()
    found = search.process()[:MOST].astype(np.float32)
    found[:, 2:] += found[:, :2]
    return found


def spent(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def test_beside_opencv() -> None:
    """Least processor seconds of a few turns, summed; mean recall of as many seeds."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    ours, theirs, found, other, weights = 0.0, 0.0, [], [], []
    try:
        for pixels, truth in photos():
            own, their, recalls, others = [], [], [], []
            for seed in range(TURNS):
                start = time.process_time()
                boxes = regions(pixels, seed=seed, most=MOST)
                middle = time.process_time()
                rest = opencv(pixels)
                own.append(middle - start)
                their.append(time.process_time() - middle)
                recalls.append(np.mean(recall(truth, boxes, THRESHOLDS)))
                others.append(np.mean(recall(truth, rest, THRESHOLDS)))
            ours, theirs = ours + min(own), theirs + min(their)
            found.append(float(np.mean(recalls)))
            other.append(float(np.mean(others)))
            weights.append(len(truth))
    finally:
        cv2.setNumThreads(before)
    print(
        f"\nfast mode on {len(weights)} photos: ours {ours:.2f} s, OpenCV {theirs:.2f} s, ratio "
        f"{ours / theirs:.2f}; average recall at {MOST}: over {sum(weights)} objects ours "
        f"{np.average(found, weights=weights):.3f}, OpenCV {np.average(other, weights=weights):.3f}"
        f"; mean of photos {np.mean(found):.3f}, {np.mean(other):.3f}"
    )
    assert ours <= LARGEST_RATIO * theirs
    assert np.average(found, weights=weights) >= np.average(other, weights=weights) - MARGIN
    assert np.mean(found) >= np.mean(other) - MARGIN


def test_the_view_follows() -> None:
    """A move of the slider, and a click: `draw` alone, nothing remembered for that level."""
    pixels, _ = photos()[0]
    scene = Scene(toy_network("classification"), from_array(pixels, "photo"))
    (step,) = VIEW.compute(scene, Params())
    height, width = pixels.shape[:2]
    scrub, click = [], []
    for number in range(MOVES):
        params = Params(merged=2.5 * number)
        scrub.append(1000 * spent(lambda p=params: VIEW.draw(step.value, p)))
        at = Point((number * 97) % width, (number * 61) % height)
        params = Params(merged=40.0, at=at)
        click.append(1000 * spent(lambda p=params: VIEW.draw(step.value, p)))
    print(
        f"\n{step.value.grown.tree.leaves} superpixels: a move of the slider "
        f"{statistics.median(scrub):.1f} ms (most {max(scrub):.1f}), a click "
        f"{statistics.median(click):.1f} ms"
    )
    assert statistics.median(scrub) <= LIMIT_MS
    assert statistics.median(click) <= LIMIT_MS
