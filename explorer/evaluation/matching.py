"""The network's word for every class of the data.

Names differ between data sets (COCO's airplane is VOC's aeroplane), WordNet ids do not. Classes
that the network lacks are ignored.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.resources import resource_path
from explorer.networks.class_names import read_shipped_categories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo
    from explorer.networks.class_names import Category

WNID = re.compile(r"n\d{8}")

BACKGROUND = frozenset({"background", "__background__"})
_NO_CLASS = frozenset({"", "n/a"})
NO_THING = BACKGROUND | _NO_CLASS
"""Names among a network's classes that stand for no class of objects."""

_COCO_WORDS = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
    "tv/monitor": "tv",
}
"""Pascal VOC's words for what COCO calls otherwise."""


@dataclass(frozen=True, slots=True)
class DataClass:
    """One class of the data.

    Attributes:
        name: As the data call it.
        wnid: Its WordNet id, when the data say it.
        words: All words of its synset.
    """

    name: str
    wnid: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What the classes of the data are for the network.

    Attributes:
        labels: (D,) int64: index into the network's classes, -1 = it lacks the class.
        matched: The data's name -> the network's.
        left_out: The data's names of the others.
    """

    labels: NDArray[np.int64]
    matched: dict[str, str]
    left_out: tuple[str, ...]


def match(classes: Sequence[DataClass], info: NetworkInfo) -> Match:
    """Finds the network's class of each class of the data.

    In turn by its WordNet id (names occur twice), its name and the words of its synset.

    Raises:
        ExplorerError: The network has none of them, or no names.
    """
    if not info.classes:
        raise ExplorerError(
            f"{info.title} has no class names.",
            "Give it a list of them: --classes, or Class names… among the networks.",
        )
    names = _Names(info.classes)
    wnids = {wnid: index for index, wnid in reversed(list(enumerate(wnids_of(info))))}
    labels = [_label(known_class(c), names, wnids) for c in classes]
    matched = {
        c.name: info.classes[label] for c, label in zip(classes, labels, strict=True) if label >= 0
    }
    left_out = tuple(c.name for c, label in zip(classes, labels, strict=True) if label < 0)
    if not any(canonical(name) not in BACKGROUND for name in matched):
        shown = ", ".join(c.name for c in classes[:4]) + (" …" if len(classes) > 4 else "")
        raise ExplorerError(
            f"{info.title} has none of the classes of this data set ({shown or 'no classes'}).",
            "Choose a network that was trained on them.",
        )
    return Match(np.array(labels, np.int64), matched, left_out)


def canonical(name: str) -> str:
    """A name without the differences that mean nothing; VOC's words become COCO's."""
    plain = " ".join(name.replace("_", " ").replace("-", " ").split()).casefold()
    if plain in BACKGROUND or name.strip().casefold() in BACKGROUND:
        return "background"
    return _COCO_WORDS.get(plain, plain)


def wnids_of(info: NetworkInfo) -> tuple[str, ...]:
    """The WordNet ids of the network's classes from its card; () when there are none."""
    card = resource_path("weights", f"{info.spec.name}.json")
    if info.spec.name and os.path.isfile(card):
        found: Any = json.loads(card.read_text(encoding="utf-8")).get("wnids", ())
        if len(found) == len(info.classes):
            return tuple(str(wnid) for wnid in found)
    return ()


def known_class(data_class: DataClass) -> DataClass:
    """With the words of the classes that ship, where only the id is given."""
    wnid = data_class.wnid or (data_class.name if WNID.fullmatch(data_class.name) else "")
    category = _shipped().get(wnid)
    if category is None:
        return DataClass(data_class.name, wnid, data_class.words)
    return DataClass(data_class.name, wnid, data_class.words or (category.name,))


class _Names:
    """The network's classes by name: as they are before as `canonical` has them.

    ImageNet's Cardigan is a dog, its cardigan is not.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._exact: dict[str, int] = {}
        self._like: dict[str, int] = {}
        for index, name in enumerate(classes):
            if canonical(name) not in _NO_CLASS:
                self._exact.setdefault(name, index)
                self._like.setdefault(canonical(name), index)

    def get(self, name: str) -> int | None:
        return self._exact.get(name, self._like.get(canonical(name)))


def _label(known: DataClass, names: _Names, wnids: dict[str, int]) -> int:
    found = [wnids.get(known.wnid), *(names.get(w) for w in (known.name, *known.words))]
    return next((index for index in found if index is not None), -1)


def shipped_classes() -> tuple[DataClass, ...]:
    """The classes that the networks that ship were trained for, in the order of their labels."""
    return tuple(DataClass(c.name, c.wnid, (c.name,)) for c in _shipped().values())


@cache
def _shipped() -> dict[str, Category]:
    path = resource_path("classes", "tiny-imagenet.json")
    if not os.path.isfile(path):
        return {}
    return {category.wnid: category for category in read_shipped_categories(path)}
