"""2 048 channels as pixels against 64 of them in a grid of matplotlib, and panning a mosaic.

Run it by name: ``pytest tests/benchmarks/bench_feature_maps.py -s``; matplotlib is no dependency of
the program and has to be there. What counts is processor time, and a frame only when it is painted.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot
from torch import nn

from explorer.core.layers import Heat, Pane, heat_index, lookup_table
from explorer.core.params import resolved
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.ui.board.canvas import Canvas
from explorer.ui.board.pan_zoom import Viewpoint
from explorer.views.inside.feature_maps.mosaic import mosaic_pane
from explorer.views.inside.feature_maps.params import Params
from explorer.views.inside.feature_maps.view import VIEW
from explorer.vision.features.mosaics import Tiling
from tests.benchmarks.bench_drawing import FRAMES, SIZE, Paints, at_most, frame_ms
from tests.toys import make_network

pytestmark = [pytest.mark.benchmark, pytest.mark.qt_log_ignore("propagateSizeHints")]

CHANNELS, SIDE = 2048, 7
GRID = 8
LEAST_RATIO = 80
ROUNDS = 11


@contextmanager
def without_collections() -> Iterator[None]:
    """As in the program, which collects when it is idle and never while it paints."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[Canvas]:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(*SIZE)
    with qtbot.waitExposed(canvas):
        canvas.show()
    return canvas


def test_2048_channels_against_a_grid_of_64(canvas: Canvas) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, CHANNELS, 32, stride=32))
    network = make_network(module, "features")
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE * 32, SIDE * 32, 3), np.uint8)
    scene = Scene(network, from_array(pixels, "noise"))
    params = resolved(Params(layer="0"), network.info)
    paints = Paints(canvas.viewport())
    ratios, whole = [], []
    for _ in range(ROUNDS):
        scene.forget()
        *_, step = VIEW.compute(scene, params)
        result = step.value
        assert result.maps.values.shape == (CHANNELS, SIDE, SIDE)
        start = time.process_time()
        heat = mosaic_pane(result, params, 0, None).layers[0]
        assert isinstance(heat, Heat)
        pixels = lookup_table(heat.colormap)[heat_index(heat)]
        ours = (time.process_time() - start) * 1000
        assert pixels.shape[0] * pixels.shape[1] >= CHANNELS * SIDE**2
        scene.forget()
        *_, step = VIEW.compute(scene, params)
        canvas.set_pane(None)
        with without_collections():
            frame = frame_ms(
                canvas.viewport(),
                paints,
                lambda result=step.value: canvas.set_pane(VIEW.draw(result, params).pane("mosaic")),
            )
        start = time.process_time()
        figure, axes = pyplot.subplots(GRID, GRID, figsize=(SIZE[0] / 100, SIZE[1] / 100))
        for values, place in zip(result.maps.values, axes.flat, strict=False):
            place.imshow(values)
            place.axis("off")
        figure.canvas.draw()
        theirs = (time.process_time() - start) * 1000
        pyplot.close(figure)
        ratios.append(theirs / ours)
        whole.append(theirs / frame)
        print(
            f"\n{CHANNELS} channels: pixels {ours:.1f} ms, with the first frame of the window "
            f"{frame:.1f} ms; matplotlib's {GRID**2}: {theirs:.0f} ms"
        )
    print("matplotlib / pixels:", " ".join(f"{ratio:.0f}" for ratio in ratios))
    print("matplotlib / first frame:", " ".join(f"{ratio:.0f}" for ratio in whole))
    assert statistics.median(ratios) >= LEAST_RATIO


def test_a_mosaic_of_4096_pixels_pans_at_a_hundred_frames_a_second(canvas: Canvas) -> None:
    maps = np.random.default_rng(0).random((4096, 64, 64), np.float32)
    tiling = Tiling.of(4096, 64, 64, aspect=1.0)
    assert tiling.size == (4096, 4096)
    heat = Heat(tiling.mosaic(maps), 0.0, 1.0)
    canvas.set_pane(Pane("mosaic", (4096.0, 4096.0), (heat,), frame="mosaic"))
    paints = Paints(canvas.viewport())
    for scale in (0.19, 0.5, 1.0, 4.0):
        canvas.set_viewpoint(Viewpoint(2048, 2048, scale))
        frame_ms(canvas.viewport(), paints, canvas.update)
        steps = iter([6.0, -6.0] * FRAMES)
        times = [
            frame_ms(canvas.viewport(), paints, lambda: canvas.pan_by(next(steps), 3))  # noqa: B023
            for _ in range(FRAMES)
        ]
        at_most(10, f"4096 x 4096, pan at {scale}", times)
