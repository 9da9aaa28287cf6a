"""The painted scenes of the gallery: the same at every start, each with its seed inside.

A module of its own, since OpenCV takes a tenth of a second to import and the window is first shown
without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

UInt8 = NDArray[np.uint8]
Float = NDArray[np.float64]
Color = tuple[int, int, int]

_WIDTH, _HEIGHT = 640, 480
_FINE = 2  # scenes are painted at twice the size and shrunk, which smooths every edge alike
_BERRY, _GOLD, _LEAF, _SEA, _PLUM, _CORAL = _PALETTE = (
    (196, 52, 74),
    (232, 168, 56),
    (92, 148, 80),
    (46, 122, 158),
    (122, 78, 142),
    (234, 118, 86),
)


def _shapes() -> UInt8:
    """Shapes of 14 to 200 pixels that do not touch: something for every size of anchor."""
    rng = np.random.default_rng(7)
    canvas = _backdrop((244, 239, 230), (214, 222, 226))
    placed: list[tuple[float, float, float]] = []
    for size in np.geomspace(200, 14, 34):
        for _ in range(400):
            x = float(rng.uniform(size / 2 + 6, _WIDTH - size / 2 - 6))
            y = float(rng.uniform(size / 2 + 6, _HEIGHT - size / 2 - 6))
            if all(np.hypot(x - a, y - b) > 0.56 * (size + c) + 3 for a, b, c in placed):
                kind = len(placed) % 5
                _shape(canvas, kind, x, y, size, _PALETTE[len(placed) % 6], rng.uniform(0, np.pi))
                placed.append((x, y, float(size)))
                break
    return _shrunk(canvas)


def _shape(
    canvas: UInt8, kind: int, x: float, y: float, size: float, color: Color, turn: float
) -> None:
    radius = size / 2
    corners = {1: 4, 2: 3, 3: 10}.get(kind, 64)
    angle = turn + np.arange(corners) * 2 * np.pi / corners
    reach = np.where(np.arange(corners) % 2, 0.45, 1.0) if kind == 3 else np.ones(corners)
    outline = np.stack([np.cos(angle), np.sin(angle)], axis=1) * reach[:, None] * radius
    center = np.array([x, y])
    shadow = np.array([radius * 0.06 + 1, radius * 0.09 + 1])
    soft = tuple(int(v * 0.8) for v in canvas[int(y * _FINE), int(x * _FINE)])
    _polygon(canvas, outline + center + shadow, soft)
    _polygon(canvas, outline + center, color)
    if kind == 4:  # a ring
        pale = tuple(int(v + (255 - v) * 0.6) for v in color)
        _polygon(canvas, outline * 0.55 + center, pale)


def _gratings() -> UInt8:
    """A zone plate (every frequency and direction once) beside gratings of eight directions."""
    side = 400
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    # The phase grows with the square of the radius; at the rim a period is 2.2 pixels.
    plate = 0.5 + 0.5 * np.cos(np.pi * (x**2 + y**2) / (1.1 * side))
    inside = np.clip(side / 2 - np.hypot(x, y), 0, 1)
    canvas = np.full((_HEIGHT, _WIDTH), 0.5)
    canvas[40:440, 16:416] = 0.5 + (plate - 0.5) * inside
    tile = 90
    v, u = np.mgrid[:tile, :tile] - (tile - 1) / 2
    window = np.clip(tile / 2 - np.hypot(u, v), 0, 1)
    for index in range(8):
        angle = index * np.pi / 8
        wave = np.cos(2 * np.pi * (u * np.cos(angle) + v * np.sin(angle)) / (5 + 2 * (index % 4)))
        top, left = 36 + (index // 2) * 106, 428 + (index % 2) * 104
        canvas[top : top + tile, left : left + tile] += 0.45 * wave * window
    gray = np.rint(canvas * 255).astype(np.uint8)
    return np.repeat(gray[:, :, np.newaxis], 3, axis=2)


def _crowd() -> UInt8:
    """Overlapping balls in three clusters: neighbors that NMS must tell apart."""
    rng = np.random.default_rng(11)
    canvas = _backdrop((52, 60, 72), (28, 32, 42))
    centers = np.array([[170.0, 190.0], [430.0, 150.0], [380.0, 350.0]])
    for index in range(66):
        x, y = centers[index % 3] + rng.normal(0, (62, 48))
        radius = float(rng.uniform(15, 40))
        _ball(canvas, float(x), float(y), radius, _PALETTE[int(rng.integers(6))])
    return _shrunk(canvas)


def _ball(canvas: UInt8, x: float, y: float, radius: float, color: Color) -> None:
    cx, cy, r = x * _FINE, y * _FINE, radius * _FINE
    top, left = max(0, int(cy - r)), max(0, int(cx - r))
    part = canvas[top : max(top, int(cy + r) + 2), left : max(left, int(cx + r) + 2)]
    v, u = np.mgrid[: part.shape[0], : part.shape[1]]
    dx, dy = (u + left - cx) / r, (v + top - cy) / r
    distance = dx**2 + dy**2
    height = np.sqrt(np.clip(1 - distance, 0, 1))
    light = np.clip(-0.45 * dx - 0.55 * dy + 0.7 * height, 0, 1)
    shade = (0.35 + 0.65 * light)[:, :, None] * np.asarray(color, float)
    shine = (np.clip(light, 0, 1) ** 24)[:, :, None] * 150
    part[distance <= 1] = np.clip(shade + shine, 0, 255)[distance <= 1].astype(np.uint8)


def _page() -> UInt8:
    """A printed page of invented words: strokes, lines and columns."""
    rng = np.random.default_rng(23)
    canvas = _backdrop((250, 246, 236), (238, 231, 216))
    ink = (46, 44, 52)
    _write(canvas, "The seeing machine", 36, 66, 1.25, _BERRY, 3)
    _write(canvas, "an illustrated account", 38, 94, 0.6, _SEA, 2)
    cv2.line(canvas, (36 * 2, 112 * 2), (604 * 2, 112 * 2), ink, 2)
    for column in range(2):
        y = 138
        while y < 462:
            if column == 1 and 230 < y < 350:  # room for a figure
                y += 17
                continue
            line = ""
            while len(line) < 32:
                line += _word(rng) + " "
            _write(canvas, line[: int(rng.integers(28, 33))], 38 + column * 292, y, 0.42, ink, 1)
            y += 17
    for index, color in enumerate(_PALETTE):
        bar = 20 + int(rng.integers(20, 78))
        left = 2 * (340 + index * 42)
        cv2.rectangle(canvas, (left, 2 * (345 - bar)), (left + 56, 2 * 345), color, -1)
    return _shrunk(canvas)


def _word(rng: np.random.Generator) -> str:
    pick = rng.integers
    pairs = ("lo", "ra", "mi", "ten", "sa", "vo", "ne", "pi", "dor", "qua", "el", "bu", "gri", "th")
    return "".join(pairs[int(pick(len(pairs)))] for _ in range(int(pick(1, 4))))


def _colors() -> UInt8:
    """All hues around, from gray to full color outwards; below, every step from black to white."""
    y, x = np.mgrid[: _HEIGHT * _FINE, : _WIDTH * _FINE].astype(np.float32)
    dx, dy = x - _WIDTH * _FINE / 2, y - 205 * _FINE
    radius = np.hypot(dx, dy) / (180 * _FINE)
    wheel = np.stack(
        [
            np.degrees(np.arctan2(dy, dx)) % 360,
            np.clip(radius, 0, 1),
            np.full_like(radius, 0.96),
        ],
        axis=2,
    )
    canvas = np.full((_HEIGHT * _FINE, _WIDTH * _FINE, 3), (58, 60, 66), np.uint8)
    rgb = np.asarray(cv2.cvtColor(wheel, cv2.COLOR_HSV2RGB))
    canvas[radius <= 1] = np.rint(rgb[radius <= 1] * 255).astype(np.uint8)
    ramp = np.repeat(np.linspace(0, 255, 17).astype(np.uint8), 64)  # 17 steps of 32 pixels
    left = (_WIDTH * _FINE - ramp.size) // 2
    canvas[410 * _FINE : 450 * _FINE, left : left + ramp.size] = ramp[None, :, None]
    return _shrunk(canvas)


def _edges() -> UInt8:
    """Twelve tiles of one elementary pattern each: what first-layer filters look for."""
    side = 140 * _FINE
    v, u = (np.mgrid[:side, :side] - (side - 1) / 2) / (side / 2)
    rng = np.random.default_rng(3)
    coarse = np.asarray(rng.random((28, 28)), np.float32)
    noise = np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_NEAREST), float)
    tiles: tuple[Float, ...] = (
        (u > 0) * 1.0,
        (v > 0) * 1.0,
        (u > v) * 1.0,
        1 / (1 + np.exp(-u * 8)),
        (abs(u) < 0.03) * 1.0,
        (abs(u + v) < 0.14) * 1.0,
        ((u > 0) & (v > 0)) * 1.0,
        ((abs(v) < 0.12) | ((abs(u) < 0.12) & (v > 0))) * 1.0,
        ((np.floor(u * 4) + np.floor(v * 4)) % 2),
        (np.hypot((u * 3) % 1 - 0.5, (v * 3) % 1 - 0.5) < 0.28) * 1.0,
        np.clip(1 - np.hypot(u, v), 0, 1),
        noise,
    )
    canvas = np.full((_HEIGHT * _FINE, _WIDTH * _FINE, 3), 128, np.uint8)
    gap = 16 * _FINE
    for index, tile in enumerate(tiles):
        dark, light = np.array((32, 36, 48)), np.array(_PALETTE[index % 6]) * 0.35 + 165
        row, column = divmod(index, 4)
        top, left = gap + row * (side + gap) - row * 8, gap + column * (side + gap)
        mixed = dark + tile[:, :, None] * (light - dark)
        canvas[top : top + side, left : left + side] = np.rint(mixed).astype(np.uint8)
    return _shrunk(canvas)


def _strokes() -> UInt8:
    """Thick brush strokes along a swirling field: a style to paint photos in."""
    rng = np.random.default_rng(5)
    canvas = _backdrop((18, 42, 96), (236, 190, 84))
    centers = rng.uniform((0, 0), (_WIDTH, _HEIGHT), (7, 2))
    turns = rng.choice((-1.0, 1.0), 7)
    for length, count, width in ((60, 1500, 9), (34, 3000, 5), (18, 2600, 3)):
        places = [rng.uniform((0, 0), (_WIDTH, _HEIGHT), (count, 2))]
        for _ in range(8):
            field = _swirls(places[-1], centers, turns)
            places.append(places[-1] + field * (length / 8))
        colors = _dusk(places[0], centers) + rng.normal(0, 22, (count, 3))
        paths = np.rint(np.stack(places, axis=1) * _FINE).astype(np.int32)
        for path, color in zip(paths, colors.clip(0, 255).astype(int).tolist(), strict=True):
            cv2.polylines(canvas, [path], isClosed=False, color=color, thickness=width * _FINE)
    return _shrunk(canvas)


def _swirls(places: Float, centers: Float, turns: Float) -> Float:
    """(N, 2) unit vectors: around the centers, and to the right where they are far."""
    away = places[:, None] - centers
    pull = turns[:, None] / (np.square(away).sum(axis=2, keepdims=True) + 900.0)
    field = (away[..., ::-1] * (1, -1) * pull).sum(axis=1)
    field += np.stack([np.full(len(places), 0.012), 0.004 * np.sin(places[:, 0] / 60)], axis=1)
    unit: Float = field / np.hypot(*field.T)[:, None]
    return unit


def _dusk(places: Float, centers: Float) -> Float:
    """(N, 3) colors: blue above, gold below, bright around the centers."""
    share = (places[:, 1] / _HEIGHT + 0.12 * np.sin(places[:, 0] / 70))[:, None]
    shade = np.array((30, 70, 150)) * (1 - share) + np.array((240, 186, 70)) * share
    near = np.sqrt(np.square(places[:, None] - centers).sum(axis=2).min(axis=1)) / 120
    glow: Float = np.maximum(0.0, 0.8 - near)[:, None]
    return shade + (np.array((250, 226, 120)) - shade) * glow


def _glass() -> UInt8:
    """Stained glass: cells of few colors between dark leads."""
    rng = np.random.default_rng(9)
    seeds = rng.uniform((0, 0), (_WIDTH, _HEIGHT), (340, 2)).astype(np.float32)
    plane = cv2.Subdiv2D((-9, -9, _WIDTH + 18, _HEIGHT + 18))
    plane.insert([(float(x), float(y)) for x, y in seeds])
    canvas = _backdrop((20, 18, 24), (20, 18, 24))
    for facet, (x, y) in zip(*plane.getVoronoiFacetList([]), strict=True):
        cell = np.asarray(facet, np.float64)
        bloom = np.hypot(x - 0.4 * _WIDTH, y - 0.45 * _HEIGHT) / 90
        base = np.array(_PALETTE[int(bloom + rng.integers(2)) % len(_PALETTE)])
        color = (base * rng.uniform(0.75, 1.25)).clip(0, 255)
        middle = cell.mean(axis=0)
        _polygon(canvas, middle + (cell - middle) * 0.9, tuple(int(value) for value in color))
        _polygon(
            canvas, middle + (cell - middle) * 0.45 - (1.5, 1.5),
            tuple(int(value) for value in (color * 1.18).clip(0, 255)),
        )  # fmt: skip
    return _shrunk(canvas)


def _backdrop(top: Color, bottom: Color) -> UInt8:
    """A vertical gradient at the fine size."""
    share = np.linspace(0, 1, _HEIGHT * _FINE)[:, None, None]
    column = np.asarray(top) * (1 - share) + np.asarray(bottom) * share
    return np.repeat(np.rint(column).astype(np.uint8), _WIDTH * _FINE, axis=1)


def _polygon(canvas: UInt8, points: Float, color: tuple[int, ...]) -> None:
    cv2.fillPoly(canvas, [np.rint(points * _FINE).astype(np.int32)], color)


def _write(
    canvas: UInt8, text: str, x: int, y: int, scale: float, color: Color, thick: int
) -> None:
    where = (x * _FINE, y * _FINE)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(canvas, text, where, font, scale * _FINE, color, thick * _FINE - 1, cv2.LINE_AA)


def _shrunk(canvas: UInt8) -> UInt8:
    small = cv2.resize(canvas, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


SCENES: dict[str, Callable[[], UInt8]] = {
    "shapes": _shapes,
    "gratings": _gratings,
    "crowd": _crowd,
    "page": _page,
    "colors": _colors,
    "edges": _edges,
    "strokes": _strokes,
    "glass": _glass,
}
"""(480, 640, 3) uint8 RGB by the gallery's names."""
