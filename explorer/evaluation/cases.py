"""A data set as evaluations see it: its classes, and photos with ground truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo, Task
    from explorer.evaluation.keypoints.skeletons import Skeletons
    from explorer.evaluation.matching import DataClass
    from explorer.evaluation.metrics import Objects


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The ground truth of one photo, in the network's classes.

    Attributes:
        label: Of the photo as a whole; -1 = not known.
        objects: In pixels of the photo; None = not known.
        mask: (H, W) int32, the class of every pixel, -1 = not to be counted; None = not known.
        left_out: Objects of classes that the network does not have.
        skeletons: The keypoints of `objects`; None = not asked for or not known.
        outlines: The masks of `objects` as COCO's run lengths, an empty one where it has none;
            None = not asked for or not known.
    """

    label: int = -1
    objects: Objects | None = None
    mask: NDArray[np.int32] | None = None
    left_out: int = 0
    skeletons: Skeletons | None = None
    outlines: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One photo: `load` gives its (H, W, 3) uint8 pixels and its truth.

    `load` raises an ExplorerError when it cannot be read. `path` is its file, None where it has
    none of its own. `mixed` = the cases come in no order, so that the first ones are as good a part
    as any.
    """

    name: str
    load: Callable[[], tuple[NDArray[np.uint8], Truth]]
    path: Path | None = None
    mixed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A data set.

    Attributes:
        title: Its name for people.
        kind: "class folders", "COCO", "VOC", "YOLO", "masks" or "npz".
        classes: What has to be matched.
        offers: What is known of its photos: "label", "objects", "mask", "keypoints".
        make: From the task, the label of each class (-1 = unknown) and the network to the cases.
        notes: Sentences about what was ignored.
        keypoints: Names of the keypoints by the name of their class.
    """

    title: str
    kind: str
    classes: tuple[DataClass, ...]
    offers: frozenset[str]
    make: Callable[[Task, NDArray[np.int64], NetworkInfo], Sequence[Case]]
    notes: tuple[str, ...] = ()
    keypoints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
