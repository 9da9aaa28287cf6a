"""The words of classes and of what stands above them in WordNet (Miller 1995)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


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
