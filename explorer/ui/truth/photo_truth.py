"""The photos' ground truth: the boxes belong to a photo, whatever view or network looks at it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explorer.annotations.truth import truth_name
from explorer.core.params import Box

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

Truth = tuple[Box, ...]
MOST_PHOTOS = 300
"""Photos whose boxes are kept, the latest ones."""
MOST_BOXES = 20_000
"""Boxes that a session file takes: one that is too large is not read again."""


class PhotoTruth:
    """By the key of a photo (`Image.key`): its boxes."""

    def __init__(self) -> None:
        self._boxes: OrderedDict[str, Truth] = OrderedDict()

    def of(self, key: str) -> Truth:
        return self._boxes.get(key, ())

    def put(self, key: str, boxes: Truth) -> None:
        self._boxes.pop(key, None)
        if boxes:
            self._boxes[key] = boxes
        while len(self._boxes) > MOST_PHOTOS:
            self._boxes.popitem(last=False)

    def into(self, params: Any, key: str) -> Any:
        """`params` with the boxes of the photo, where they take any."""
        name = truth_name(type(params))
        return replace(params, **{name: self.of(key)}) if name else params

    def take(self, params: Any, key: str) -> None:
        """Remembers the boxes that `params` have for the photo."""
        name = truth_name(type(params))
        if name:
            self.put(key, getattr(params, name))

    def packed(self) -> dict[str, Any]:
        """Plain values for a session file, of the latest photos."""
        found: dict[str, Any] = {}
        room = MOST_BOXES
        for key, boxes in reversed(self._boxes.items()):
            room -= len(boxes)
            if room < 0:
                break
            found[key] = [[box.x0, box.y0, box.x1, box.y1, box.label] for box in boxes]
        return dict(reversed(found.items()))

    def restore(self, values: Mapping[str, Any]) -> None:
        """What `packed` gave; what is not valid is left out."""
        for key, entries in values.items():
            try:
                boxes = tuple(
                    Box(float(x0), float(y0), float(x1), float(y1), str(label))
                    for x0, y0, x1, y1, label in entries
                )
            except (TypeError, ValueError, OverflowError) as error:
                log.warning("the ground truth of photo %s was dropped: %s", key, error)
                continue
            self.put(str(key), boxes)
