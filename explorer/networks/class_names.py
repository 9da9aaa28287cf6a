"""Words of classes: ImageNet's in the tree of WordNet (Miller 1995), and about 20 groups of them.

The groups are for detectors and masks: all that is "a dog" in WordNet is one class there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


def read_class_paths(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """The name of every class, in order, with the words from the root of the tree down to it.

    Args:
        path: A JSON file: either a list with `name` and `path` for each class, or `nodes`, by
            WordNet id the parent's id ("" for the root) and the word, and `classes`, ids in order.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such file, or a node is its own ancestor.
        KeyError: A parent is missing.
    """
    content: Any = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, list):
        return [(row["name"], tuple(row["path"])) for row in content]
    nodes: dict[str, list[str]] = content["nodes"]
    return [(nodes[wnid][1], _path(nodes, wnid)) for wnid in content["classes"]]


def _path(nodes: dict[str, list[str]], wnid: str) -> tuple[str, ...]:
    words: list[str] = []
    while wnid:
        parent, word = nodes[wnid]
        words.append(word)
        if len(words) > len(nodes):
            raise ValueError(f"{wnid} is above itself")
        wnid = parent
    return tuple(reversed(words))


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
    # whatever is left of the artifacts
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
"""Names of COCO's classes -> group, for those that both have."""


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
