"""Small models with random filters."""

from __future__ import annotations

import numpy as np

from explorer.vision.dpm.features import CHANNELS
from explorer.vision.dpm.models import Component, Model, Part


def toy_component(seed: int = 0, cells: tuple[int, int] = (4, 3), parts: int = 2) -> Component:
    rng = np.random.default_rng(seed)

    def filled(height: int, width: int) -> np.ndarray:
        return rng.normal(0, 0.1, (height, width, CHANNELS)).astype(np.float32)

    own = tuple(
        Part(
            filled(3, 2 + number), (2 * number, 3 - number),
            (0.02 * number, -0.03, 0.05, 0.04 + 0.01 * number),
        )
        for number in range(parts)
    )  # fmt: skip
    return Component(filled(*cells), own, -0.25)


def toy_model(seed: int = 0) -> Model:
    return Model("toy", (toy_component(seed), toy_component(seed + 1, (3, 5), 3)), -1.0)


def toy_photo(height: int = 80, width: int = 96, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
