"""Tables whose effect can be worked out by hand."""

from __future__ import annotations

import numpy as np

from explorer.vision.proposals.tables import Tables


def toy_tables() -> Tables:
    """BING: a frame of ones. Objectness: two bins that meet at 0.5. Rahtu: the sum. Prim: color."""
    frame = np.ones((8, 8), np.float32)
    frame[2:-2, 2:-2] = -1
    return Tables(
        bing_filter=frame,
        bing_sizes=np.array([[80, 80], [160, 160]], np.float32),
        bing_lines=np.array([[1, 0], [2, -3]], np.float32),
        cue_edges=np.full((4, 1), 0.5, np.float32),
        cue_ratios=np.array([[-1, 1], [-2, 2], [-4, 4], [-8, 8]], np.float32),
        rahtu_weights=np.ones(4, np.float32),
        prim_weights=np.array([2, 0, 0, -1], np.float32),
    )
