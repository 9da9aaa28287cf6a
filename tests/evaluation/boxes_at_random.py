"""Objects and detections with every kind of error, drawn from a seed with numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np

CLASSES = (1, 2, 3, 4, 5)


def boxes_at_random(seed: int, photos: int = 40) -> list[dict[str, Any]]:
    """Of each photo `objects`: rows (class, crowd, x, y, w, h), and `found`: (class, score, …)."""
    rng = np.random.default_rng(seed)
    rows = []
    for photo in range(photos):
        objects, found = [], []
        for _ in range(0 if photo == 3 else int(rng.integers(1, 7))):
            box = _box(rng)
            label, crowd = int(rng.choice(CLASSES)), bool(rng.random() < 0.1)
            objects.append((label, crowd, *box))
            for _ in range(int(rng.integers(0, 4))):
                named = label if rng.random() < 0.75 else int(rng.choice(CLASSES))
                reach = rng.choice([0.04, 0.15, 0.4])
                moved = [float(side + reach * size * rng.normal())
                         for side, size in zip(box, (box[2], box[3]) * 2, strict=True)]  # fmt: skip
                moved[2:] = [max(side, 2.0) for side in moved[2:]]
                found.append((named, float(rng.random()), *moved))
        for _ in range(int(rng.integers(0, 3))):
            found.append((int(rng.choice(CLASSES)), float(rng.random()) * 0.7, *_box(rng)))
        rows.append({"objects": objects, "found": found})
    return rows


def _box(rng: np.random.Generator) -> tuple[float, ...]:
    """Corner and sides, small ones and large ones."""
    sides = rng.uniform(12, 40, 2) * (4 if rng.random() < 0.3 else 1)
    return (*map(float, rng.uniform(0, 200, 2)), *map(float, sides))
