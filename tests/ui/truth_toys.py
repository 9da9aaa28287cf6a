"""A view without a network's work that takes every new kind of parameter."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from explorer.core.layers import Board, Boxes, Curve, Pane, Picture, Plot
from explorer.core.params import Box, Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View


@dataclass(frozen=True, slots=True)
class Params:
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "What is there.", pick=Pick.TRUTH, effect=Effect.DRAW
    )
    at: Point | None = param(None, "Place", "Where.", pick=Pick.CLICK, effect=Effect.DRAW)
    count: int = param(
        3, "Count", "How many.", low=0, high=9, step=1, effect=Effect.DRAW, play=True
    )
    share: float = param(
        0.5, "Share", "How much.", low=0.01, high=10.0, step=0.01, effect=Effect.DRAW
    )


@dataclass(frozen=True, slots=True)
class RegionParams:
    region: Box | None = param(
        None, "Region", "Which.", pick=Pick.DRAG, effect=Effect.DRAW, step=0.25
    )
    truth: tuple[Box, ...] = param((), "Ground truth", "What is there.", pick=Pick.TRUTH)


class Drawn:
    """Which parameters were drawn, and how often the toy was computed."""

    def __init__(self) -> None:
        self.params: list[Any] = []
        self.computed = 0


def toy_view(drawn: Drawn, name: str = "toy", kind: type = Params) -> View[Any, Any]:
    def compute(scene: Any, params: Any) -> Generator[Step[Any], Any, None]:
        drawn.computed += 1
        yield Step(scene.image.pixels)

    def draw(pixels: Any, params: Any) -> Board:
        drawn.params.append(params)
        height, width = pixels.shape[:2]
        xyxy = np.array([[b.x0, b.y0, b.x1, b.y1] for b in params.truth], np.float32)
        boxes = Boxes(xyxy.reshape(-1, 4), np.full((len(xyxy), 3), 200, np.uint8))
        x = np.linspace(0.01, 10, 50)
        plot = Plot(
            "curve", "Curve", "share", "y", (Curve(x, x**2),), log_x=True,
            marker=getattr(params, "share", None), steers="share",
        )  # fmt: skip
        pane = Pane("image", (width, height), (Picture(pixels), boxes))
        return Board((pane,), (plot,), summary=f"{len(params.truth)} boxes")

    return View(name, name.title(), Group.OTHER, "s", "e", "", kind, compute, draw)
