"""Words of classes: Tiny ImageNet's 200 in the tree of WordNet, and about 20 groups of them.

The groups are for detectors and masks: all that is "a dog" in WordNet is one class there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Category:
    """One class in the tree of WordNet.

    Attributes:
        wnid: WordNet id, "n02085620".
        name: First word of the synset.
        path: First words of all synsets from the root ("entity") to this one.
        ids: Their WordNet ids, in the same order.
    """

    wnid: str
    name: str
    path: tuple[str, ...]
    ids: tuple[str, ...]


def read_shipped_categories(path: Path) -> list[Category]:
    """The classes of a file in `resources/classes`, in the order of their labels."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [Category(r["wnid"], r["name"], tuple(r["path"]), tuple(r["ids"])) for r in rows]


NOT_A_THING = ""
"""For landscapes, shops seen from inside, webs …: their box is no object's."""

GROUP_RULES: dict[str, str] = {
    # animals
    "n02084071": "dog",
    "n02120997": "cat",  # all felines, lions too
    "n02370806": "hoofed animal",
    "n01861778": "other mammal",
    "n01503061": "bird",
    "n02512053": "reptile, frog or fish",
    "n01661091": "reptile, frog or fish",
    "n01627424": "reptile, frog or fish",
    "n01767661": "insect or spider",
    "n01974773": "sea creature or snail",  # lobsters
    "n01905661": "sea creature or snail",
    # vehicles
    "n02958343": "car",
    "n04490091": "truck, bus or train",
    "n02924116": "truck, bus or train",
    "n04468005": "truck, bus or train",
    "n02959942": "truck, bus or train",
    "n04530566": "boat, cart or other vehicle",
    "n04524313": "boat, cart or other vehicle",
    "n03649909": "boat, cart or other vehicle",  # lawn mower
    # things
    "n02876657": "bottle, pot or container",
    "n03621049": "bottle, pot or container",
    "n04550840": "bottle, pot or container",
    "n03094503": "bottle, pot or container",
    "n03405725": "furniture",
    "n02808440": "furniture",  # bathtub
    "n03051540": "clothing",
    "n03380867": "clothing",
    "n04272054": "clothing",  # sunglasses
    "n04341686": "building or structure",
    "n04341414": "building or structure",  # posts
    "n04317420": "building or structure",  # staffs, of flags
    "n04100174": "building or structure",  # poles
    "n02843684": "building or structure",  # birdhouse
    "n04105068": "building or structure",  # roofs
    "n04562935": "building or structure",  # water tower
    # food
    "n07705711": "fruit or vegetable",
    "n12267677": "fruit or vegetable",  # acorn
    "n07711569": "food",  # mashed potato
    "n00021265": "food",
    "n15046900": "food",
    # whatever is left of the artefacts
    "n03250847": "device or toy",  # drumstick, a staff in WordNet
    "n04399382": "device or toy",  # teddy bear
    "n00021939": "device or toy",
    # no things
    "n04202417": NOT_A_THING,  # shops
    "n04568557": NOT_A_THING,  # webs
    "n06254669": NOT_A_THING,  # print media
    "n09287968": NOT_A_THING,  # landscapes
}
"""WordNet id -> group. The rule nearest to the class on its way to the root decides."""

COCO_GROUPS = {
    **{name: name for name in ("dog", "cat", "bird", "car")},
    **dict.fromkeys(("horse", "sheep", "cow", "zebra", "giraffe"), "hoofed animal"),
    **dict.fromkeys(("bear", "elephant"), "other mammal"),
    **dict.fromkeys(("truck", "bus", "train"), "truck, bus or train"),
    "boat": "boat, cart or other vehicle",
    **dict.fromkeys(("bottle", "wine glass", "cup", "bowl", "vase"), "bottle, pot or container"),
    **dict.fromkeys(("chair", "couch", "bed", "dining table"), "furniture"),
    **dict.fromkeys(("backpack", "handbag", "suitcase"), "bottle, pot or container"),
    "tie": "clothing",
    **dict.fromkeys(("banana", "apple", "orange", "broccoli", "carrot"), "fruit or vegetable"),
    **dict.fromkeys(("sandwich", "hot dog", "pizza", "donut", "cake"), "food"),
    **dict.fromkeys(("laptop", "remote", "keyboard", "cell phone", "clock"), "device or toy"),
    **dict.fromkeys(("sports ball", "umbrella", "teddy bear", "parking meter"), "device or toy"),
    **dict.fromkeys(("traffic light", "stop sign"), "building or structure"),
}
"""Names of COCO's classes -> group, for those that both know."""


def group_names() -> list[str]:
    """In the order of `GROUP_RULES`."""
    return [name for name in dict.fromkeys(GROUP_RULES.values()) if name != NOT_A_THING]


def label_names() -> list[str]:
    """What the labels of a detector mean, from 0 on."""
    return ["background", *group_names()]


def group_of(category: Category) -> str | None:
    """The group's name, or None when the class is no thing that has a place in a photo."""
    for wnid in reversed(category.ids):
        if wnid in GROUP_RULES:
            return GROUP_RULES[wnid] or None
    return None


def group_labels(categories: Sequence[Category]) -> list[int]:
    """For every class its group's label, 1..; 0 for the classes without a group."""
    number = {name: label for label, name in enumerate(label_names())}
    return [number[group_of(category) or "background"] for category in categories]


_PLURALS = {
    "person": "people", "mouse": "mice", "computer mouse": "computer mice", "knife": "knives",
    "goldfish": "goldfish", "wolf": "wolves", "calf": "calves", "leaf": "leaves", "foot": "feet",
    "goose": "geese", "ox": "oxen", "bison": "bison", "scissors": "scissors", "skis": "skis",
    "sheep": "sheep", "fish": "fish", "aircraft": "aircraft", "broccoli": "broccoli",
    "woman": "women", "man": "men", "child": "children",
}  # fmt: skip


def counted_name(count: int, name: str) -> str:
    """So many of a class: "1 dog", "2 dogs", "3 people", "2 hot dogs"."""
    if count == 1:
        return f"1 {name}"
    first, _, last = name.rpartition(" ")
    plural = _PLURALS.get(name) or (f"{first} " if first else "") + _plural(last)
    return f"{count} {plural}"


def _plural(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if word.isdigit() or not word.isascii() or word.endswith("_"):  # not a word of English
        return word
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"
