"""Masks of 40 instances over 1920 x 1080: opacity changes without recomputing, panning is smooth.

Run it by name: ``pytest tests/benchmarks/bench_masks.py -s``. A frame counts only when a paint
event has really happened; what counts is processor time, as others may use the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from explorer.core.layers import Boxes, Masks, Pane, Picture, class_colors
from explorer.ui.board.canvas import Canvas
from explorer.ui.board.pan_zoom import Viewpoint
from explorer.vision.detection.detections import instance_map
from tests.benchmarks.bench_drawing import FRAMES, Paints, at_most, frame_ms

pytestmark = [pytest.mark.benchmark, pytest.mark.qt_log_ignore("propagateSizeHints")]

SIZE = (1920, 1080)
INSTANCES = 40
THIRTY_A_SECOND = 1000 / 30


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[Canvas]:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(1280, 800)
    with qtbot.waitExposed(canvas):
        canvas.show()
    return canvas


def overlay() -> tuple[Picture, Masks, Boxes]:
    """Ellipses over noise, each with its box."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]].astype(np.float32)
    masks = np.zeros((INSTANCES, SIZE[1], SIZE[0]), np.uint8)
    boxes = np.zeros((INSTANCES, 4), np.float32)
    for k in range(INSTANCES):
        (u, v), (a, b) = rng.random(2) * SIZE, rng.random(2) * 160 + 40
        masks[k][((x - u) / a) ** 2 + ((y - v) / b) ** 2 <= 1] = 255
        boxes[k] = u - a, v - b, u + a, v + b
    colors = class_colors(INSTANCES)
    index = instance_map(masks, np.arange(INSTANCES), 128)
    photo = Picture(rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8))
    return photo, Masks(index, colors), Boxes(boxes, colors, width=1.5)


def test_opacity_and_panning(canvas: Canvas) -> None:
    photo, masks, boxes = overlay()
    pane = Pane("image", SIZE, (photo, masks, boxes))
    canvas.set_pane(pane)
    canvas.set_viewpoint(Viewpoint(SIZE[0] / 2, SIZE[1] / 2, 0.7))
    paints = Paints(canvas.viewport())
    frame_ms(canvas.viewport(), paints, canvas.update)
    opacities = iter(np.linspace(0.1, 0.9, FRAMES).tolist())

    def fade() -> None:
        shown = replace(masks, opacity=next(opacities))
        assert shown.index is masks.index, "nothing is computed again"
        canvas.set_pane(replace(pane, layers=(photo, shown, boxes)))

    steps = iter([7.0, -7.0] * FRAMES)
    pan = [
        frame_ms(canvas.viewport(), paints, lambda: canvas.pan_by(next(steps), 3))
        for _ in range(FRAMES)
    ]
    scales = iter(np.linspace(0.5, 2.0, FRAMES).tolist())

    def zoom() -> None:
        canvas.set_viewpoint(Viewpoint(SIZE[0] / 2, SIZE[1] / 2, next(scales)))

    zoomed = [frame_ms(canvas.viewport(), paints, zoom) for _ in range(FRAMES)]
    faded = [frame_ms(canvas.viewport(), paints, fade) for _ in range(FRAMES)]
    at_most(THIRTY_A_SECOND, "40 masks, pan", pan)
    at_most(THIRTY_A_SECOND, "40 masks, zoom", zoomed)
    at_most(2 * THIRTY_A_SECOND, "40 masks, another opacity", faded)
