"""The photos' ground truth: it belongs to a photo, whatever the view or network."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.annotations.truth import GroundTruth, put_truth, taken_truth, truth_names
from explorer.core.errors import ExplorerError
from explorer.core.param_forms import params_json, value_of
from explorer.core.params import Box, Mask, Point, param, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

Truth = tuple[Box, ...]
MOST_PHOTOS = 300
"""Photos whose ground truth is kept, the latest ones."""
MOST_BOXES = 20_000
"""Boxes that a session file takes: one that is too large is not read again."""
MOST_MASK_BYTES = 2_000_000
"""Of all masks together, for the same reason."""


class PhotoTruth:
    """By the key of a photo (`Image.key`): its ground truth."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, GroundTruth] = OrderedDict()

    def of(self, key: str) -> Truth:
        """The boxes of a photo."""
        return self.whole(key).boxes

    def whole(self, key: str) -> GroundTruth:
        """All that is known of a photo."""
        return self._known.get(key, GroundTruth())

    def put(self, key: str, boxes: Truth) -> None:
        """Gives a photo its boxes."""
        self._put(key, replace(self.whole(key), boxes=boxes))

    def _put(self, key: str, truth: GroundTruth) -> None:
        self._known.pop(key, None)
        if truth:
            self._known[key] = truth
        while len(self._known) > MOST_PHOTOS:
            self._known.popitem(last=False)

    def into(self, params: Any, key: str) -> Any:
        """`params` with the ground truth of the photo, where they take any."""
        return put_truth(params, self.whole(key))

    def take(self, params: Any, key: str) -> None:
        """Remembers the ground truth that `params` have for the photo."""
        if truth_names(type(params)):
            self._put(key, taken_truth(params, self.whole(key)))

    def packed(self) -> dict[str, Any]:
        """Plain values for a session file, of the latest photos."""
        found: dict[str, Any] = {}
        boxes, room = MOST_BOXES, MOST_MASK_BYTES
        for key, truth in reversed(self._known.items()):
            boxes -= len(truth.boxes)
            room -= len(truth.mask.png) if truth.mask is not None else 0
            if boxes < 0 or room < 0:
                break
            found[key] = params_json(_Saved(truth.boxes, truth.mask, truth.joints))
        return dict(reversed(found.items()))

    def restore(self, values: Mapping[str, Any]) -> None:
        """What `packed` gave; what is not valid is ignored."""
        for key, parts in values.items():
            try:
                known = {p.name: value_of(p, parts[p.name]) for p in parameters(_Saved)}
            except (ExplorerError, TypeError, ValueError, KeyError, OverflowError) as error:
                log.warning("the ground truth of photo %s was dropped: %s", key, error)
                continue
            self._put(str(key), GroundTruth(**known))


@dataclass(frozen=True, slots=True)
class _Saved:
    """The parts of a `GroundTruth` as parameters, so that they are written as those are."""

    boxes: tuple[Box, ...] = param((), "Boxes", "Of the objects.")
    mask: Mask | None = param(None, "Mask", "Of the classes.")
    joints: tuple[Point, ...] = param((), "Joints", "In order.")
