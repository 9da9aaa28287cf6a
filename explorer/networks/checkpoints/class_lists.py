"""The names of classes by number, from the lists that tools keep beside labels and weights.

YOLO's tools write most of them; a list may also be a COCO file or names, one a line.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Reader = Callable[[Path], "ClassList"]

PLAIN = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt")
"""One name a line."""

TABLES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
"""Ultralytics' description of a data set; any other .yaml with "names:" comes after these."""

_LEVELS = 3
"""Folders that are searched, from that of the labels upwards, where none is called "labels"."""

_MOST_TABLES = 8
_MOST_BYTES = 1 << 28
_MOST_DARKNET = 1 << 16
"""Of a few lines; the weights beside an ONNX file end in .data as well."""

_KEY = re.compile(r"^([A-Za-z_][\w-]*)\s*:(.*)$")
_NUMBERED = re.compile(r"""^["']?(\d{1,6})["']?\s*:\s*(.*)$""")


@dataclass(frozen=True, slots=True)
class ClassList:
    """Names by number.

    Attributes:
        names: Without gaps; a number that the file does not name has "".
        keypoints: Ultralytics' kpt_shape: points, and values for each; None = the labels are no
            poses, or it is not known.
        file: Where they stand, "" = nowhere.
    """

    names: tuple[str, ...] = ()
    keypoints: tuple[int, int] | None = None
    file: str = ""


def class_list(folder: Path) -> ClassList:
    """The names for the label files in `folder`, from there or from the folders above it."""
    poses: ClassList | None = None
    for place in _upwards(folder):
        for found in _lists_in(place):
            if found.keypoints is not None:
                poses = poses or found
            if found.names:
                return found if poses is None else replace(found, keypoints=poses.keypoints)
    return poses or ClassList()


def names_in(path: Path) -> tuple[str, ...]:
    """The names in a list that the user chose, by number from 0; the background may be left out.

    Args:
        path: A name a line, a .yaml with "names", darknet's .data, or a .json: COCO's categories, a
            list of names, or names by number.

    Raises:
        ExplorerError: It cannot be read or lists no names.
    """
    suffix = path.suffix.lower()
    read = {".yaml": _yaml, ".yml": _yaml, ".data": _darknet, ".json": _json}.get(suffix, _lines)
    try:
        names = read(path).names
    except (ValueError, TypeError, KeyError, RecursionError):
        names = ()
    if not any(names) or "\0" in "".join(names):
        raise ExplorerError(
            f"{display_name(path)} lists no class names.",
            "Give a text file with a name on each line, a data.yaml or a COCO .json.",
        )
    named = names[1:] if not names[0] else names  # numbers from 1: 0 is the background
    return tuple(name or "N/A" for name in named)


def names_beside(weights: Path) -> Iterator[ClassList]:
    """The lists in the folder of a file of weights, that of its own name first."""
    own = [f"{weights.stem}{suffix}" for suffix in (".txt", ".names", ".yaml", ".json")]
    for name in (*own, *PLAIN, *TABLES):
        path = weights.with_name(name)
        if os.path.isfile(path):
            try:
                yield ClassList(names_in(path), file=name)
            except ExplorerError:
                continue  # it was only a guess


def _upwards(folder: Path) -> Iterator[Path]:
    """Up to the folder above the one that holds "labels": there data.yaml is."""
    chain = [folder, *folder.absolute().parents] if folder.parts else [folder.absolute()]
    names = [place.name for place in chain]
    levels = names.index("labels") + 3 if "labels" in names else _LEVELS
    yield from chain[:levels]


def _lists_in(folder: Path) -> Iterator[ClassList]:
    try:
        there = sorted(os.listdir(folder))
    except OSError:
        return
    plain = [name for name in PLAIN if name in there]
    plain += [name for name in there if name.endswith(".names") and name not in plain]
    for name in plain:
        yield from _tried(folder / name, _lines)
    for name in there:
        if name.endswith(".data"):  # darknet's: names = obj.names, as a path of its own
            yield from _tried(folder / name, _darknet)
    tables = [name for name in TABLES if name in there]
    tables += [name for name in there if name.endswith((".yaml", ".yml")) and name not in tables]
    for name in tables[:_MOST_TABLES]:
        yield from _tried(folder / name, _yaml)
    if "notes.json" in there:
        yield from _tried(folder / "notes.json", _notes)


def _tried(path: Path, read: Reader) -> Iterator[ClassList]:
    try:
        found = read(path)
    except (ExplorerError, ValueError, TypeError, KeyError):
        return  # it was only a guess that this is a list of classes
    if found.names or found.keypoints:
        yield found


def _lines(path: Path) -> ClassList:
    lines = [line.strip() for line in read_text(path).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return ClassList(tuple(lines), file=path.name)


def _darknet(path: Path) -> ClassList:
    for line in read_text(path, _MOST_DARKNET).splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "names":
            return _lines(path.with_name(re.split(r"[\\/]", value.strip())[-1]))
    return ClassList()


def _notes(path: Path) -> ClassList:
    """Label Studio's: {"categories": [{"id": 0, "name": "cat"}]}."""
    entries = json.loads(read_text(path))["categories"]
    return _numbered({int(entry["id"]): str(entry["name"]) for entry in entries}, path)


def _json(path: Path) -> ClassList:
    from explorer.networks.checkpoints.contents import class_names  # with torch

    content = json.loads(read_text(path))
    if isinstance(content, list):
        content = {"names": content}
    entries = content.get("categories") if isinstance(content, dict) else None
    if isinstance(entries, list) and all(
        isinstance(entry, dict) and "id" in entry for entry in entries
    ):
        return _notes(path)
    return ClassList(class_names(content), file=path.name)


def read_text(path: Path, limit: int = _MOST_BYTES) -> str:
    """The list's text; what is no UTF-8 becomes question marks."""
    data = read_file(path, limit=limit, kind="a list of classes", smaller="Choose a list of names.")
    return data.decode("utf-8-sig", "replace")


def _yaml(path: Path) -> ClassList:
    values = dict(_top_level(read_text(path)))
    shape = [int(word) for word in re.findall(r"\d+", values.get("kpt_shape", ""))]
    keypoints = (shape[0], shape[1]) if len(shape) == 2 and shape[1] in (2, 3) else None
    found = _numbered(_entries(values.get("names", "")), path)
    return ClassList(found.names, keypoints, path.name)


def _numbered(names: dict[int, str], path: Path) -> ClassList:
    count = max(names, default=-1) + 1
    if count > 100_000:
        raise ValueError("the list of classes is too long")
    return ClassList(tuple(names.get(k, "") for k in range(count)), file=path.name)


def _top_level(text: str) -> Iterator[tuple[str, str]]:
    """The keys that begin a line, each with all that follows up to the next one."""
    key, value = "", ""
    for line in text.splitlines():
        plain = _without_comment(line)
        found = _KEY.match(plain)
        if found:
            if key:
                yield key, value
            key, value = found[1], found[2]
        elif plain.strip():
            value += "\n" + plain
    if key:
        yield key, value


def _without_comment(line: str) -> str:
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter if not line[:at].strip() or line[at - 1] in " [{,:-" else ""
        elif letter == "#" and (at == 0 or line[at - 1].isspace()):
            return line[:at].rstrip()
    return line.rstrip()


def _entries(value: str) -> dict[int, str]:
    """A list or a mapping by number, in brackets or line by line, as names by number."""
    value = value.strip()
    if value[:1] in ("[", "{"):
        words = list(_split(value[1:].rpartition("]" if value[0] == "[" else "}")[0]))
    else:
        words = [line.strip() for line in value.splitlines() if line.strip()]
    named: dict[int, str] = {}
    for number, word in enumerate(words):
        found = None if value[:1] == "[" else _NUMBERED.match(word)
        if found:
            named[int(found[1])] = _plain(found[2])
        else:
            named[number] = _plain(word.removeprefix("- ") if value[:1] != "[" else word)
    return named


def _split(text: str) -> Iterator[str]:
    """The parts between commas outside of quotation marks."""
    part, quote = "", ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and not part.strip().strip(":0123456789 \"'"):
            quote = letter
        if letter == "," and not quote:
            yield part.strip()
            part = ""
        else:
            part += letter
    if part.strip():
        yield part.strip()


def _plain(word: str) -> str:
    word = word.strip()
    if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'":
        inner = word[1:-1]
        return inner.replace("''", "'") if word[0] == "'" else inner.replace('\\"', '"')
    return word
