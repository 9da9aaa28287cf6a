"""The word tree of a detector: COCO's categories in WordNet, ImageNet's classes under them.

Redmon & Farhadi 2017, "YOLO9000", section 4, joins the two data sets so. Here it has the words
that have enough examples only.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.networks.embedded.wordtree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

LEAST = 20
"""Words under a category with fewer examples are cut."""

SAME = {
    "airplane": "n02691156", "apple": "n07739125", "backpack": "n02769748", "banana": "n07753592",
    "bear": "n02131653", "bed": "n02818832", "bench": "n02828884", "bicycle": "n02834778",
    "bird": "n01503061", "boat": "n02858304", "bottle": "n02876657", "bowl": "n02880940",
    "broccoli": "n07714990", "bus": "n02924116", "car": "n02958343", "cat": "n02121620",
    "cell phone": "n02992529", "chair": "n03001627", "clock": "n03046257", "couch": "n04256520",
    "cow": "n02402425", "dining table": "n03201208", "dog": "n02084071", "elephant": "n02503517",
    "horse": "n02374451", "keyboard": "n03085013", "knife": "n03623556", "laptop": "n03642806",
    "microwave": "n03761084", "motorcycle": "n03790512", "mouse": "n03793489",
    "orange": "n07747607", "oven": "n03862676", "parking meter": "n03891332",
    "person": "n00007846", "pizza": "n07873807", "potted plant": "n00017222",
    "refrigerator": "n04070727", "remote": "n04074963", "sandwich": "n07695965",
    "sheep": "n02411705", "sink": "n04553703", "skis": "n04228054", "spoon": "n04284002",
    "sports ball": "n02778669", "teddy bear": "n04399382", "tennis racket": "n04039381",
    "tie": "n03815615", "traffic light": "n06874185", "train": "n04468005", "truck": "n04490091",
    "tv": "n04404412", "umbrella": "n04507155", "vase": "n04522168", "zebra": "n02391049",
}  # fmt: skip
"""COCO's category -> the synset that it is."""

BELOW = {
    "baseball bat": "sports implement", "baseball glove": "sports equipment", "book": "artifact",
    "cake": "baked goods", "carrot": "root vegetable", "cup": "crockery", "donut": "baked goods",
    "fire hydrant": "device", "fork": "cutlery", "frisbee": "plaything", "giraffe": "ruminant",
    "hair drier": "device", "handbag": "bag", "hot dog": "snack food", "kite": "plaything",
    "scissors": "edge tool", "skateboard": "board", "snowboard": "board", "stop sign": "sign",
    "suitcase": "bag", "surfboard": "board", "toaster": "kitchen appliance", "toilet": "device",
    "toothbrush": "brush", "wine glass": "glass",
}  # fmt: skip
"""Those that ImageNet's part of WordNet lacks, or has within another category -> the word above."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """A part of WordNet.

    Attributes:
        parents: For every synset the one above it; "" for the root.
        names: Their first words.
        classes: ImageNet's, by label.
    """

    parents: Mapping[str, str]
    names: Mapping[str, str]
    classes: Sequence[str]

    def way(self, node: str) -> list[str]:
        """From the node itself up to the root."""
        found = []
        while node:
            found.append(node)
            node = self.parents[node]
        return found


def read_nodes(path: Path) -> Nodes:
    """Those of a file like resources/classes/imagenet.json.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON.
        KeyError: It has another form.
    """
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    rows: dict[str, list[str]] = content["nodes"]
    return Nodes(
        {key: above for key, (above, _) in rows.items()},
        {key: word for key, (_, word) in rows.items()},
        tuple(content["classes"]),
    )


def with_categories(nodes: Nodes, names: Iterable[str]) -> tuple[Nodes, dict[str, str]]:
    """WordNet with COCO's categories: those that it has are called as COCO calls them.

    Args:
        nodes: Of WordNet.
        names: Of the categories.

    Returns:
        The nodes, and for every category its own.

    Raises:
        KeyError: A category has no place.
    """
    parents, words = dict(nodes.parents), dict(nodes.names)
    place = {}
    for name in names:
        if name in SAME:
            place[name] = SAME[name]
        else:
            place[name] = name
            parents[name] = next(k for k, word in nodes.names.items() if word == BELOW[name])
        words[place[name]] = name
    return Nodes(parents, words, nodes.classes), place


def classes_below(nodes: Nodes, place: Mapping[str, str]) -> dict[str, frozenset[int]]:
    """For every category ImageNet's labels of the classes that are strictly below it.

    Args:
        nodes: Of WordNet, with the categories.
        place: Of `with_categories`.
    """
    ways = [frozenset(nodes.way(node)[1:]) for node in nodes.classes]
    return {
        name: frozenset(label for label, way in enumerate(ways) if node in way)
        for name, node in place.items()
    }


@dataclass(frozen=True, slots=True)
class Words:
    """A tree and where the examples have their place in it.

    Attributes:
        tree: `words`, `parents` and `labels` of a `WordTree`.
        categories: For every category its word.
        classes: For ImageNet's labels that have examples the deepest word that is left.
        cut: Names of the classes under the categories that had examples, but too few.
    """

    tree: dict[str, list[Any]]
    categories: tuple[int, ...]
    classes: dict[int, int]
    cut: tuple[str, ...]


def word_tree(
    nodes: Nodes, categories: Sequence[str], examples: Mapping[int, int], least: int = LEAST
) -> Words:
    """The words above the categories that tell them apart, and those below with enough examples.

    A word that is its parent's only child adds nothing: above the categories the parent is left
    out, below them the child.

    Args:
        nodes: Of WordNet.
        categories: By the detector's label, from 1 on.
        examples: How many there are of ImageNet's labels; those that are under no category are
            left out.
        least: The least number of examples of words below the categories.
    """
    nodes, place = with_categories(nodes, categories)
    label_of = {place[name]: label for label, name in enumerate(categories, start=1)}
    count: Counter[str] = Counter()
    below: dict[str, list[str]] = {}
    ways = {nodes.classes[label]: many for label, many in sorted(examples.items())}
    for node in [*place.values(), *ways]:
        way = nodes.way(node)
        if not label_of.keys() & set(way):
            continue
        for child, above in itertools.pairwise([*way, ""]):
            count[child] += ways.get(node, 0)
            if child not in below.setdefault(above, []):
                below[above].append(child)
    words: list[str] = []
    parents: list[int] = []
    labels: list[int] = []
    word_of: dict[str, int] = {}

    def children(node: str) -> list[str]:
        found = [child for child in below.get(node, ()) if count[child] >= least]
        return children(found[0]) if len(found) == 1 else found

    def add(node: str, parent: int, label: int) -> None:
        while not label and node not in label_of and len(below[node]) == 1:
            (node,) = below[node]
        label = label_of.get(node, label)
        nexts = children(node) if label else below[node]
        word_of[node] = here = len(words)
        words.append(nodes.names[node])
        parents.append(parent)
        labels.append(0 if nexts else label)
        for child in nexts:
            add(child, here, label)

    top = below[""]
    while len(top) == 1:
        top = below[top[0]]
    for node in top:
        add(node, ROOT, 0)
    known = {
        label: next(word_of[node] for node in nodes.way(nodes.classes[label]) if node in word_of)
        for label in examples
        if label_of.keys() & set(nodes.way(nodes.classes[label]))
    }
    return Words(
        {"words": words, "parents": parents, "labels": labels},
        tuple(word_of[place[name]] for name in categories),
        known,
        tuple(
            nodes.names[nodes.classes[label]]
            for label in sorted(known)
            if nodes.classes[label] not in word_of
        ),
    )
