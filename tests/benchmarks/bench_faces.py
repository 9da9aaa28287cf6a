"""The view of faces on the frames of a camera of 640 x 480, against its bare networks.

Run it by name: ``pytest tests/benchmarks/bench_faces.py -s``. Both take turns on one thread, and
processor time is what counts; frames a second are printed. Faces are 62 and 120 pixels wide.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
import torch

from explorer.engine.scene import Moment, Scene
from explorer.images.image import from_array
from explorer.networks.faces.embedding import FaceEmbedding
from explorer.networks.faces.mtcnn import load_cascade
from explorer.views.predictions.faces import view
from explorer.views.predictions.faces.reader import Reader
from explorer.views.predictions.faces.view import VIEW, Params
from explorer.vision.faces.cascade import Settings, found_faces
from tests.networks.faces.installed_faces import needs_mtcnn

pytestmark = [pytest.mark.benchmark, needs_mtcnn]

SMALLEST = 60.0
FRAMES, ROUNDS = 8, 5
LEAST_RATIO = 0.75
"""The rest is aligning, embedding and what is kept to be drawn."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def frame(width: int) -> np.ndarray:
    """640 x 480 with a face of so many pixels."""
    photo = pytest.importorskip("skimage.data").astronaut()[20:260, 100:360]
    scale = width / 88
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = np.full((480, 640, 3), 90, np.uint8)
    found[: small.shape[0], 200 : 200 + small.shape[1]] = small[:480]
    return found


def seconds(run: Callable[[], None]) -> float:
    start = time.process_time()
    for _ in range(FRAMES):
        run()
    return time.process_time() - start


@pytest.mark.parametrize("width", [62, 120])
def test_follows_a_camera(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Reader(load_cascade(), FaceEmbedding().eval())
    monkeypatch.setattr(view, "reader", lambda: own)
    pixels, params, found = frame(width), Params(smallest=SMALLEST), []

    def followed() -> None:
        scene = Scene(None, from_array(pixels, "frame"), moment=Moment(0, 0.0))
        (step,) = VIEW.compute(scene, params)
        found.append(len(step.value.read.faces))

    def bare() -> None:
        own.read(pixels, found_faces(own.cascade, pixels, Settings(SMALLEST)))

    seconds(followed)
    ratios = []
    for _ in range(ROUNDS):
        plain = seconds(bare)
        ours = seconds(followed)
        ratios.append(plain / ours)
        print(f"\n{width} px: {FRAMES / ours:.1f} frames a second, {ratios[-1]:.2f} x bare")
    assert set(found) == {1}
    assert statistics.median(ratios) >= LEAST_RATIO
