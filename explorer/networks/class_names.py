"""Words of classes: ImageNet's in the tree of WordNet (Miller 1995)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
