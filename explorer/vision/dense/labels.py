"""The indices of a ground-truth mask and the classes of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BACKGROUND = frozenset({"__background__", "background"})
NOT_COUNTED = 255
"""An index of masks: borders of objects in Pascal VOC, which do not count."""


def object_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """The classes that a mask is painted with, each once: all but the background.

    In a mask the k-th of them has the index k, from 1; 0 is the background.
    """
    return tuple(name for name in dict.fromkeys(classes) if name not in BACKGROUND)


def true_classes(
    index: NDArray[np.uint8], painted: Sequence[str], classes: Sequence[str]
) -> NDArray[np.int32]:
    """The classes of one network in a mask that was painted with those of another.

    Args:
        index: (H, W), see `object_classes`.
        painted: Classes of the network that the mask was painted with.
        classes: Those of the network whose prediction is compared.

    Returns:
        (H, W), places in `classes`; -1 = not counted: what `classes` lacks, and `NOT_COUNTED`.
    """
    table = np.full(256, -1, np.int32)
    places = {name: place for place, name in reversed(list(enumerate(classes)))}
    for place, name in enumerate(object_classes(painted)[: NOT_COUNTED - 1], start=1):
        table[place] = places.get(name, -1)
    table[0] = min((place for name, place in places.items() if name in BACKGROUND), default=-1)
    return table[index]
