"""Keeps count of a detector that says where the keypoints of people are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.evaluation.coco import coco_keypoint_ap
from explorer.evaluation.keypoints.skeletons import (
    PCK,
    Skeletons,
    keypoint_errors,
    sigmas_of,
)
from explorer.evaluation.scores import Boxes
from explorer.vision.detection.detections import detections_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.evaluation.keypoints.skeletons import Points
    from explorer.evaluation.measures import BoxMeasures
    from explorer.evaluation.scores import Figures, Look


class KeypointBoxes(Boxes):
    """Average precision of boxes, and of keypoints by COCO; the percentage of correct keypoints.

    Args:
        names: Of the network's keypoints.
        eleven_point: See `Boxes`.
        annotated: Likewise.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        eleven_point: bool = False,
        annotated: NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(eleven_point=eleven_point, annotated=annotated)
        self._names = tuple(names)
        self._skeletons: list[Skeletons] = []
        self._points: list[Points] = []

    def add(self, looks: Sequence[Look], output: Any) -> None:
        """See `Boxes`."""
        (look,) = looks
        assert look.truth.skeletons is not None
        height, width = look.input_size
        points = detections_of(output, look.frame, (height, width)).keypoints
        if points is None or points.shape[1] != len(self._names):
            raise ExplorerError(
                "This network does not output the keypoints that it has names for.",
                "Choose a detector with keypoints.",
            )
        super().add(looks, output)
        self._skeletons.append(look.truth.skeletons)
        self._points.append(points.astype(np.float64))

    def figures(self, classes: Sequence[str]) -> Figures:
        """See `Boxes`."""
        figures, by_class = super().figures(classes)
        parts = (self._truth, self._skeletons, self._found, self._points)
        similar = coco_keypoint_ap(*parts, sigmas_of(self._names))
        if similar is not None:
            figures["keypoint_AP"] = similar.ap
            figures["keypoint_AP50"] = similar.ap50
            figures["keypoint_AP75"] = similar.ap75
            figures["keypoint_AR"] = similar.ar
        errors = keypoint_errors(self._names, *parts)
        correct = None if errors is None else errors.correct()
        if correct is not None:
            figures[f"PCK@{PCK}"] = correct
        return figures, by_class

    def measures(self) -> BoxMeasures:
        """See `Boxes`."""
        errors = keypoint_errors(
            self._names, self._truth, self._skeletons, self._found, self._points, self._numbers
        )
        return replace(super().measures(), keypoints=errors)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Boxes`."""
        none = np.zeros((0, len(self._names), 3))
        return super().arrays() | {
            "skeletons": np.concatenate([none, *(there.points for there in self._skeletons)]),
            "areas": np.concatenate([np.zeros(0), *(there.area for there in self._skeletons)]),
            "points": np.concatenate([none, *self._points]),
        }

    def extend(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """See `Boxes`."""
        whose, own = (np.cumsum(arrays[name])[:-1] for name in ("objects", "boxes"))
        skeletons, areas = (np.split(arrays[name], whose) for name in ("skeletons", "areas"))
        points = np.split(arrays["points"], own)
        super().extend(arrays)
        if len(arrays["objects"]):
            self._skeletons += [Skeletons(*part) for part in zip(skeletons, areas, strict=True)]
            self._points += points
