"""Small boards with everything that can be drawn."""

from __future__ import annotations

import numpy as np

from explorer.core.layers import (
    Board,
    Boxes,
    Curve,
    Grid,
    Heat,
    Layer,
    Lines,
    Masks,
    Pane,
    Picture,
    Plot,
    Points,
    Table,
    Text,
)  # fmt: skip

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def colors(*rgb: tuple[int, int, int]) -> np.ndarray:
    return np.array(rgb, np.uint8)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def one_of_each() -> dict[type, Layer]:
    index = np.full((30, 40), -1, np.int32)
    index[5:20, 5:20] = 1
    return {
        Picture: Picture(noise(10, 10), extent=(5, 5, 35, 25)),
        Heat: Heat(np.arange(12, dtype=np.float32).reshape(3, 4), 0, 11, extent=(0, 0, 40, 30)),
        Boxes: Boxes(np.array([[5, 5, 30, 20]], np.float32), colors(RED), ("cat",)),
        Masks: Masks(index, colors(RED, GREEN)),
        Points: Points(np.array([[10, 10]], np.float32), colors(RED), labels=("eye",)),
        Lines: Lines(np.array([[2, 2, 30, 25]], np.float32), colors(RED), arrow=True),
        Grid: Grid(np.array([10.0], np.float32), np.array([10.0], np.float32), (0, 0, 40, 30)),
        Text: Text("words", (3, 3)),
    }


def full_board() -> Board:
    return Board(
        panes=tuple(
            Pane(f"p{n}", (40, 30), (layer,), title="Title")
            for n, layer in enumerate(one_of_each().values())
        ),
        plots=(
            Plot("loss", "Loss", "step", "value", (Curve(np.arange(9.0), np.ones(9), "a"),)),
            Plot("bars", bars=(("cat", 0.7, RED), ("dog", -0.2, GREEN))),
        ),
        tables=(Table("t", ("name", "n"), (("cat", 1), ("dog", 2.5)), swatches=(RED, GREEN)),),
        summary="A summary", notes=("A note.",),
    )  # fmt: skip
