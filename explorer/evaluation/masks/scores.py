"""Keeps count of a detector that gives the masks of instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.evaluation.coco import coco_instance_ap
from explorer.evaluation.scores import Boxes
from explorer.images.outlines import run_lengths
from explorer.vision.detection.detections import detections_of
from explorer.vision.features.segmentation import in_photo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.evaluation.scores import Figures, Look

    Outlines = tuple[Mapping[str, Any], ...]

HALF = 128
"""The value of a stored mask that stands for a probability of 0.5 (He et al. 2017)."""


class MaskBoxes(Boxes):
    """Average precision of boxes, and of masks by COCO."""

    def __init__(
        self, *, eleven_point: bool = False, annotated: NDArray[np.int64] | None = None
    ) -> None:
        super().__init__(eleven_point=eleven_point, annotated=annotated)
        self._outlines: list[Outlines] = []
        self._masks: list[Outlines] = []

    def add(self, looks: Sequence[Look], output: Any) -> None:
        """See `Boxes`."""
        (look,) = looks
        assert look.truth.outlines is not None
        height, width = look.input_size
        masks = detections_of(output, look.frame, (height, width)).masks
        if masks is None:
            raise ExplorerError(
                "This network outputs no masks, though it has a mask branch.",
                "Choose another network.",
            )
        super().add(looks, output)
        self._outlines.append(look.truth.outlines)
        self._masks.append(
            tuple(
                run_lengths(in_photo((mask >= HALF).astype(np.int32), look.frame, look.size) > 0)
                for mask in masks
            )
        )

    def figures(self, classes: Sequence[str]) -> Figures:
        """See `Boxes`."""
        figures, by_class = super().figures(classes)
        found = coco_instance_ap(self._truth, self._outlines, self._found, self._masks)
        if found.by_class:
            figures["mask_AP"], figures["mask_AP50"] = found.ap, found.ap50
            figures["mask_AP75"], figures["mask_AR"] = found.ap75, found.ar
        for label, metrics in found.by_class.items():
            by_class.setdefault(classes[label], {})["mask_AP"] = metrics.ap
        return figures, by_class

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Boxes`."""
        return super().arrays() | {
            "outlines": _packed(self._outlines),
            "masks": _packed(self._masks),
            "outlined": np.array([_size(photo) for photo in self._outlines]).reshape(-1, 2),
            "masked": np.array([_size(photo) for photo in self._masks]).reshape(-1, 2),
        }

    def extend(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """See `Boxes`."""
        outlines = list(_unpacked(arrays["outlines"], arrays["objects"], arrays["outlined"]))
        masks = list(_unpacked(arrays["masks"], arrays["boxes"], arrays["masked"]))
        super().extend(arrays)
        self._outlines += outlines
        self._masks += masks


def _size(photo: Outlines) -> tuple[int, int]:
    """Height and width; 0 where nothing is in the photo."""
    height, width = photo[0]["size"] if photo else (0, 0)
    return int(height), int(width)


def _packed(photos: Sequence[Outlines]) -> NDArray[np.str_]:
    """The run lengths of all photos in a row."""
    return np.array([str(outline["counts"]) for photo in photos for outline in photo], np.str_)


def _unpacked(
    counts: NDArray[np.str_], lengths: NDArray[np.int64], sizes: NDArray[np.int64]
) -> Iterator[Outlines]:
    first = 0
    for length, size in zip(lengths.tolist(), sizes.tolist(), strict=True):
        part = counts[first : first + length].tolist()
        yield tuple({"size": list(size), "counts": text} for text in part)
        first += length
