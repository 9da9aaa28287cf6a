"""How fast the canvas draws: 20 000 boxes, a 4096 x 4096 mosaic against pyqtgraph's own item.

Run it by name: ``pytest tests/benchmarks/bench_drawing.py -s``. Peer and ours take turns in one
run, so that a busy machine slows both; what counts is processor time, and a frame only
when a paint event has really happened.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from explorer.core.layers import Boxes, Heat, Pane, Picture, class_colors
from explorer.ui.board.canvas import Canvas
from explorer.ui.board.pan_zoom import Viewpoint

pytestmark = [pytest.mark.benchmark, pytest.mark.qt_log_ignore("propagateSizeHints")]

SIZE = (1280, 800)
FRAMES = 25


class Paints(QObject):
    """Counts the paint events of a widget."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


def frame_ms(widget: QWidget, paints: Paints, change: Callable[[], None]) -> float:
    """One change and the paint that follows it, on this very thread."""
    before = paints.count
    start = time.process_time()
    change()
    widget.repaint()
    spent = (time.process_time() - start) * 1000
    assert paints.count > before, "nothing was painted"
    return spent


def spread(name: str, times: list[float]) -> float:
    middle = statistics.median(times)
    print(f"\n{name}: median {middle:.2f} ms, least {min(times):.2f}, most {max(times):.2f}")
    return middle


def at_most(limit: float, name: str, times: list[float]) -> None:
    """Fails above `limit`, but says nothing about a machine that others are using."""
    if spread(name, times) > limit:
        start, own = time.perf_counter(), time.process_time()
        while time.process_time() - own < 0.2:
            pass
        share = 0.2 / (time.perf_counter() - start)
        if share < 0.9:
            pytest.skip(f"no quiet window: only {share:.0%} of a core was ours")
        pytest.fail(f"{name}: {statistics.median(times):.1f} ms is over {limit} ms")


@pytest.fixture
def canvas(qtbot: QtBot) -> Iterator[Canvas]:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(*SIZE)
    with qtbot.waitExposed(canvas):
        canvas.show()
    return canvas


def many_boxes(count: int = 20_000) -> Pane:
    rng = np.random.default_rng(0)
    middle = rng.random((count, 2)) * [1280, 720]
    half = rng.random((count, 2)) * 60 + 3
    xyxy = np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)
    colors = class_colors(80)[rng.integers(0, 80, count)]
    photo = Picture(rng.integers(0, 255, (720, 1280, 3), np.uint8))
    return Pane("boxes", (1280, 720), (photo, Boxes(xyxy, colors)))


def test_twenty_thousand_boxes_full_redraw(canvas: Canvas) -> None:
    canvas.set_pane(many_boxes())
    paints = Paints(canvas.viewport())
    scales = iter(np.linspace(0.8, 1.3, FRAMES + 2).tolist())

    def zoom() -> None:
        canvas.set_viewpoint(Viewpoint(640, 360, next(scales)))

    times = [frame_ms(canvas.viewport(), paints, zoom) for _ in range(FRAMES)]
    at_most(33, "20 000 boxes, full redraw", times)


def test_twenty_thousand_boxes_cached_pan_and_selection(canvas: Canvas) -> None:
    canvas.set_pane(many_boxes())
    canvas.set_viewpoint(Viewpoint(640, 360, 1.3))
    paints = Paints(canvas.viewport())
    frame_ms(canvas.viewport(), paints, canvas.update)
    steps = iter([4.0, -4.0] * FRAMES)
    pan = [
        frame_ms(canvas.viewport(), paints, lambda: canvas.pan_by(next(steps), 0))
        for _ in range(FRAMES)
    ]
    keys = iter(range(FRAMES))
    pick = [
        frame_ms(canvas.viewport(), paints, lambda: canvas.set_selected(("boxes", next(keys))))
        for _ in range(FRAMES)
    ]
    at_most(3, "20 000 boxes, cached pan", pan)
    at_most(6, "20 000 boxes, another one selected", pick)


def test_twenty_thousand_boxes_hover(canvas: Canvas) -> None:
    canvas.set_pane(many_boxes())
    canvas.set_viewpoint(Viewpoint(640, 360, 1.0))
    item = canvas.items_of_layers[1]
    rng = np.random.default_rng(1)
    spots = (rng.random((200, 2)) * [1280, 720]).tolist()
    looks, moves = [], []
    for x, y in spots:
        start = time.process_time()
        item.keys_at(x, y, 2.0)  # type: ignore[attr-defined]
        looks.append((time.process_time() - start) * 1000)
        spot = QPointF(canvas.from_pane(x, y))
        nothing, keys = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
        there = canvas.viewport().mapToGlobal(spot)
        event = QMouseEvent(QEvent.Type.MouseMove, spot, there, nothing, nothing, keys)
        start = time.process_time()
        QApplication.sendEvent(canvas.viewport(), event)
        moves.append((time.process_time() - start) * 1000)
    spread("20 000 boxes, a whole mouse move", moves)
    at_most(0.2, "20 000 boxes, who is under the mouse", looks)


def test_pan_of_a_big_mosaic_against_pyqtgraph(qtbot: QtBot, canvas: Canvas) -> None:
    import pyqtgraph

    values = np.random.default_rng(0).random((4096, 4096), np.float32)
    canvas.set_pane(Pane("mosaic", (4096, 4096), (Heat(values, 0, 1),), frame="own"))
    peer = pyqtgraph.GraphicsLayoutWidget()
    qtbot.addWidget(peer)
    peer.resize(*SIZE)
    box = peer.addViewBox(lockAspect=True, invertY=True)
    image = pyqtgraph.ImageItem((values * 255).astype(np.uint8), levels=(0, 255))
    image.setColorMap("viridis")
    box.addItem(image)
    with qtbot.waitExposed(peer):
        peer.show()
    ours, theirs = Paints(canvas.viewport()), Paints(peer.viewport())
    ratios = []
    for scale in (0.19, 0.5, 1.0, 3.0):
        canvas.set_viewpoint(Viewpoint(2048, 2048, scale))
        width, height = SIZE[0] / scale / 2, SIZE[1] / scale / 2
        box.setRange(
            xRange=(2048 - width, 2048 + width), yRange=(2048 - height, 2048 + height), padding=0
        )
        frame_ms(canvas.viewport(), ours, canvas.update)
        frame_ms(peer.viewport(), theirs, peer.update)
        mine, other = [], []
        for step in range(FRAMES):
            way = 5.0 if step % 2 else -5.0
            mine.append(frame_ms(canvas.viewport(), ours, lambda way=way: canvas.pan_by(way, way)))
            shift = way / scale
            other.append(
                frame_ms(
                    peer.viewport(), theirs, lambda shift=shift: box.translateBy(x=shift, y=shift)
                )
            )
        ratios.append(spread(f"pyqtgraph at {scale}", other) / spread(f"ours at {scale}", mine))
    print("\npyqtgraph / ours:", " ".join(f"{ratio:.1f}" for ratio in ratios))
    assert statistics.median(ratios) >= 2


def test_another_color_map_costs_a_view_not_an_array(canvas: Canvas) -> None:
    values = np.random.default_rng(0).random((4096, 4096), np.float32)
    first = Heat(values, 0, 1)
    canvas.set_pane(Pane("mosaic", (4096, 4096), (first,)))
    canvas.set_viewpoint(Viewpoint(2048, 2048, 1.0))
    paints = Paints(canvas.viewport())
    frame_ms(canvas.viewport(), paints, canvas.update)
    names = iter(("magma", "turbo", "gray", "inferno") * FRAMES)

    def recolor() -> None:
        canvas.set_pane(Pane("mosaic", (4096, 4096), (Heat(values, 0, 1, next(names)),)))

    times = [frame_ms(canvas.viewport(), paints, recolor) for _ in range(FRAMES)]
    at_most(20, "4096 x 4096, another color map", times)
