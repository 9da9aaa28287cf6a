"""Outlines as bars, looked at pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage, QPainter

from explorer.ui.items.item_images import Lens
from explorer.ui.items.outlines import (
    BEYOND,
    Edges,
    bars,
    blend_bars,
    edges_of,
    fill_bars,
    grown,
    to_device,
)


def pixels(image: QImage) -> np.ndarray:
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : image.width() * 4].reshape(image.height(), image.width(), 4)[..., 2].copy()


def canvas(side: int = 24, ratio: float = 1.0) -> QImage:
    image = QImage(side, side, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(QColor(200, 200, 200))
    return image


def lens(scale: float = 1.0, dx: float = 0.0, dy: float = 0.0, dpr: float = 1.0) -> Lens:
    return Lens(scale, dx, dy, dpr, 24.0, 24.0)


def ring(outer: tuple[int, int, int, int], width: int, side: int = 24) -> np.ndarray:
    """Where an outline with these outer edges is."""
    inside = np.zeros((side, side), bool)
    x0, y0, x1, y1 = outer
    inside[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    inside[y0 + width : y1 - width, x0 + width : x1 - width] = False
    return inside


def test_a_line_lies_half_outside_of_its_box(qapp: object) -> None:
    edges = edges_of(np.array([[5.0, 6.0, 15.0, 12.0]]), lens(), 2)
    assert edges.tolist() == [[4, 5, 16, 13]]
    image = canvas()
    with QPainter(image) as painter:
        to_device(painter, lens())
        fill_bars(painter, edges, 2, QColor(10, 0, 0))
    np.testing.assert_array_equal(pixels(image) == 10, ring((4, 5, 16, 13), 2))


def test_a_half_transparent_line_is_even_also_in_its_corners(qapp: object) -> None:
    image = canvas()
    edges = grown(edges_of(np.array([[5.0, 6.0, 15.0, 12.0]]), lens(), 2), 1)
    with QPainter(image) as painter:
        to_device(painter, lens())
        blend_bars(painter, edges, 4, QColor(0, 0, 0, 90))
    found, where = pixels(image), ring((3, 4, 17, 14), 4)
    assert (found[~where] == 200).all()
    assert np.abs(found[where].astype(int) - round(200 * (1 - 90 / 255))).max() <= 1


@pytest.mark.parametrize("box", [[8.0, 8, 9, 9], [8, 8, 9, 16], [8, 8, 16, 9]])
def test_a_box_thinner_than_its_line_is_full(qapp: object, box: list[float]) -> None:
    edges = edges_of(np.array([box]), lens(), 4)
    x0, y0, x1, y1 = edges[0].tolist()
    image = canvas()
    with QPainter(image) as painter:
        to_device(painter, lens())
        fill_bars(painter, edges, 4, QColor(10, 0, 0))
    assert (pixels(image)[y0:y1, x0:x1] == 10).all()


def test_corners_may_be_swapped_and_far_away() -> None:
    boxes = np.array([[15.0, 12, 5, 6], [-1e9, -1e9, 1e9, 1e9]])
    found = edges_of(boxes, lens(), 2)
    assert found[0].tolist() == [4, 5, 16, 13]
    assert found[1].tolist() == [-BEYOND, -BEYOND, 24 + BEYOND, 24 + BEYOND]


def test_zoom_position_and_a_fine_screen_are_counted_in_device_pixels(qapp: object) -> None:
    there = lens(scale=2.0, dx=1.0, dy=0.5, dpr=2.0)
    edges = edges_of(np.array([[1.0, 1.0, 4.0, 4.0]]), there, 2)
    assert edges.tolist() == [[5, 4, 19, 18]]  # (1 * 2 + 1) * 2 - 1 and (1 * 2 + 0.5) * 2 - 1
    image = canvas(ratio=2.0)
    with QPainter(image) as painter:
        painter.translate(3, 3)  # as a scene would
        to_device(painter, there)
        fill_bars(painter, edges, 2, QColor(10, 0, 0))
    np.testing.assert_array_equal(pixels(image) == 10, ring((5, 4, 19, 18), 2))


def test_bars_do_not_overlap() -> None:
    edges: Edges = np.array([[2, 2, 12, 9], [3, 3, 5, 20]], np.int32)
    for row in edges:
        covered = np.zeros((24, 24), int)
        for bar in bars(row[None], 2):
            covered[bar.y() : bar.y() + bar.height(), bar.x() : bar.x() + bar.width()] += 1
        if row[2] - row[0] >= 4:
            assert covered.max() == 1
        assert covered.sum() > 0
