"""Masks as COCO writes them: run lengths and polygons (Lin et al. 2014), and back.

A mask is (H, W) bool. Both forms give the very mask back: the corners of a polygon are those of
pixels, and faster-coco-eval, which rasterizes it, decides as pycocotools does.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Ring = list[tuple[int, int]]

_RIGHT = 0
"""The first of four directions; each turn to the right is one more."""


def run_lengths(mask: Mask) -> dict[str, Any]:
    """COCO's compressed run lengths: `size` (height, width) and `counts`, a text."""
    from faster_coco_eval import mask as coding

    found = coding.encode(np.asfortranarray(mask, np.uint8))
    counts = found["counts"]
    text = counts.decode("ascii") if isinstance(counts, bytes) else str(counts)
    return {"size": [int(side) for side in mask.shape], "counts": text}


def filled(outline: Any, size: tuple[int, int]) -> Mask:
    """The mask of COCO's polygons or run lengths.

    Args:
        outline: A list of polygons (x0, y0, x1, y1 …), or run lengths, compressed or not.
        size: Height and width; run lengths bring their own.

    Raises:
        ValueError: It is neither.
    """
    from faster_coco_eval import mask as coding

    try:
        if isinstance(outline, list):
            found = coding.merge(coding.frPyObjects(outline, *size))
        elif isinstance(outline.get("counts"), list):
            found = coding.frPyObjects(outline, *size)
        else:
            found = outline
        return np.asarray(coding.decode(found), np.bool_)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError("neither polygons nor run lengths") from error


def polygons(mask: Mask) -> list[list[float]]:
    """One polygon (x0, y0, x1, y1 …) for every part of the mask, along the edges of its pixels.

    Pixels that touch at a corner only belong to different parts. A hole is cut out by a line from
    the outer edge that is walked there and back, since COCO's polygons have no holes of their own.
    """
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    outer: dict[int, Ring] = {}
    holes: defaultdict[int, list[Ring]] = defaultdict(list)
    for part, ring in _rings(mask, np.asarray(parts, np.int32)):
        if _signed_area(ring) > 0:
            outer[part] = ring
        else:
            holes[part].append(ring)
    found = []
    for part, ring in outer.items():
        path = list(ring)
        for hole in holes[part]:
            path += [ring[0], *hole, hole[0]]
        found.append([float(side) for corner in path for side in corner])
    return found


def _rings(mask: Mask, parts: NDArray[np.int32]) -> Iterator[tuple[int, Ring]]:
    """Every closed border with its part, the mask on its right; corners where it turns."""
    height, width = mask.shape
    solid = np.pad(mask, 1)
    inside = solid[1:-1, 1:-1]
    # By direction: its neighbor that must be empty, the corner where it starts, and the next one.
    edges = (
        (solid[:-2, 1:-1], (0, 0), 1),
        (solid[1:-1, 2:], (0, 1), width + 1),
        (solid[2:, 1:-1], (1, 1), -1),
        (solid[1:-1, :-2], (1, 0), -(width + 1)),
    )
    there = bytearray(4 * (height + 1) * (width + 1))
    owner: dict[int, int] = {}
    for direction, (beyond, (down, across), _) in enumerate(edges):
        rows, columns = np.nonzero(inside & ~beyond)
        places = ((rows + down) * (width + 1) + columns + across) * 4 + direction
        for place, part in zip(places.tolist(), parts[rows, columns].tolist(), strict=True):
            there[place] = 1
            owner[place] = part
    steps = [step for _, _, step in edges]
    for first, part in owner.items():
        if first % 4 != _RIGHT or not there[first]:
            continue
        ring: Ring = []
        corner, direction = divmod(first, 4)
        while there[first]:  # until the walk is back
            corner += steps[direction]
            # To the right first: the border stays with its part where two touch at a corner.
            turns = ((direction + turn) % 4 for turn in (1, 0, 3))
            ahead = next(turn for turn in turns if there[corner * 4 + turn])
            if ahead != direction:
                ring.append((corner % (width + 1), corner // (width + 1)))
            direction = ahead
            there[corner * 4 + ahead] = 0
        yield part, ring


def _signed_area(ring: Ring) -> int:
    """Twice the area, positive for a border around pixels, negative for one around a hole."""
    x, y = np.array(ring, np.int64).T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
