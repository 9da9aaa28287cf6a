"""The photos of a folder job: listed lazily, always in the same order.

A source is a folder (with its subfolders), a pattern such as ``photos/**/*.jpg``, a list of paths
(.txt or .lst, one a line), a COCO .json, tar shards in the WebDataset layout (a .tar, or
``train-{000..099}.tar``), a photo, or an fsspec address of any of them but COCO. A listing holds
one folder's names at a time, never all photos.
"""

from __future__ import annotations

import fnmatch
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from explorer.annotations.coco import identity, name_of
from explorer.annotations.json_stream import members
from explorer.annotations.places import Places
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, read_file, unreadable
from explorer.images.image import SUFFIXES
from explorer.images.sources import expand, natural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LISTS = (".txt", ".lst")
_MOST_COCO_BYTES = 1024**3
_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo, by where it is.

    Attributes:
        name: By which results name it: its path below the source, with forward slashes.
        address: A path, or an fsspec address ("s3://bucket/a.jpg"); of a tar shard for its members.
        offset: Of its bytes in a tar shard; -1 = it is a file of its own.
        size: In a tar shard, of its bytes.
        id: Its number in a COCO file, else None.
    """

    name: str
    address: str
    offset: int = -1
    size: int = -1
    id: int | str | None = None


def is_address(word: str) -> bool:
    """True for what fsspec opens: "s3://…", "memory://…"; also behind "https://"."""
    return "://" in word and not word.lower().startswith("file:")


def photos_of(words: Sequence[str], problems: list[str] | None = None) -> Iterator[Photo]:
    """Every photo of the sources, in an order that depends on names alone.

    With one source a name is relative to it; with several it begins with the source's own name.

    Args:
        words: The sources, see the module.
        problems: Sentences about folders that cannot be read are added to it.

    Raises:
        ExplorerError: A source is not there or cannot be read; in part as late as it is reached.
    """
    found: list[str] = [] if problems is None else problems
    taken: set[str] = set()
    for word in words:
        if len(words) == 1:
            yield from _of(word, found)
            continue
        title = _title(word, taken)
        for photo in _of(word, found):
            inner = photo.name if photo.name != title else ""
            yield Photo(f"{title}/{inner}".rstrip("/"), photo.address, photo.offset, photo.size)


def _title(word: str, taken: set[str]) -> str:
    name = PurePosixPath(word.replace(os.sep, "/").rstrip("/")).name or "source"
    title, number = name, 2
    while title in taken:
        title, number = f"{name}-{number}", number + 1
    taken.add(title)
    return title


def _of(word: str, problems: list[str]) -> Iterator[Photo]:
    suffix = os.path.splitext(word)[1].lower()
    braces = _BRACES.search(word)
    if braces and not os.path.lexists(word):
        low, high = braces.groups()
        for number in range(int(low), int(high) + 1):
            shard = f"{word[: braces.start()]}{number:0{len(low)}d}{word[braces.end() :]}"
            for photo in _of(shard, problems):
                yield Photo(f"{_stem(shard)}/{photo.name}", photo.address, photo.offset, photo.size)
    elif is_address(word):
        yield from _remote(word, suffix)
    elif _MAGIC.search(word) and not os.path.lexists(word):
        yield from _matching(word, problems)
    elif os.path.isdir(word):
        yield from _folder(Path(word), problems)
    elif suffix == ".tar":
        with _opened_tar(word) as file:
            yield from _members(word, file)
    elif suffix in LISTS:
        yield from _listed(word)
    elif suffix == ".json":
        yield from _coco(Path(word))
    elif os.path.exists(word):
        yield Photo(os.path.basename(word), os.path.abspath(word))
    else:
        raise ExplorerError(
            f"{word} does not exist.",
            "Give a folder, a pattern, a list (.txt), a COCO .json or .tar shards.",
        )


def _stem(path: str) -> str:
    return PurePosixPath(path.replace(os.sep, "/")).stem


def _folder(folder: Path, problems: list[str]) -> Iterator[Photo]:
    base = os.path.abspath(folder)
    for path in expand([base], recursive=True, problems=problems):
        yield Photo(os.path.relpath(path, base).replace(os.sep, "/"), str(path))


# -- patterns -------------------------------------------------------------------------------------


def _matching(pattern: str, problems: list[str]) -> Iterator[Photo]:
    """The pictures that match, folder by folder; `**` stands for any number of folders."""
    parts = Path(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if _MAGIC.search(part))
    base = os.path.abspath(os.path.join(*parts[:fixed]) if fixed else ".")
    for path in _matches(base, parts[fixed:], problems):
        yield Photo(os.path.relpath(path, base).replace(os.sep, "/"), path)


def _matches(folder: str, parts: Sequence[str], problems: list[str]) -> Iterator[str]:
    first, rest = parts[0], parts[1:]
    if first == "**":
        yield from _matches(folder, rest or ("*",), problems)
        for entry in _entries(folder, problems):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _matches(entry.path, parts, problems)
        return
    for entry in _entries(folder, problems):
        hidden = entry.name.startswith(".") and not first.startswith(".")
        if hidden or not fnmatch.fnmatchcase(entry.name, first):
            continue
        if not rest and entry.is_file() and os.path.splitext(entry.name)[1].lower() in SUFFIXES:
            yield entry.path
        elif rest and entry.is_dir():
            yield from _matches(entry.path, rest, problems)


def _entries(folder: str, problems: list[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: natural(entry.name))
    except OSError as error:
        words = f"{display_name(folder)} cannot be read: {error.strerror or error}."
        if words not in problems:  # `**` looks into a folder twice
            problems.append(words)
        return []


# -- lists and annotations ------------------------------------------------------------------------


def _listed(word: str) -> Iterator[Photo]:
    """Each line a path, from the list's own folder on where it is relative, or an address."""
    folder = os.path.dirname(os.path.abspath(word))
    try:
        # A path may hold any byte: what is no UTF-8 is kept as the system's names keep it.
        with open(word, encoding="utf-8-sig", errors="surrogateescape") as file:
            yield from _lines(file, folder)
    except (OSError, ValueError) as error:
        raise unreadable(word, error) from error


def _lines(file: Any, folder: str) -> Iterator[Photo]:
    for line in file:
        path = line.strip()
        if not path:
            continue
        if is_address(path):
            yield Photo(path.partition("://")[2], path)
        else:
            yield Photo(path.replace(os.sep, "/").lstrip("/"), os.path.join(folder, path))


def _coco(path: Path) -> Iterator[Photo]:
    """The images of a COCO file, each with its number there."""
    data = read_file(path, limit=_MOST_COCO_BYTES, kind="an annotation file", smaller="Split it.")
    places, seen = Places(path), False
    try:
        for key, item in members(data.decode("utf-8-sig")):
            seen = seen or key == "images"
            if key != "images" or not isinstance(item, dict):
                continue
            name, number = name_of(item), identity(item.get("id"))
            if name and number is not None:
                yield Photo(name, str(places.find(name)), id=number)
    except (ValueError, RecursionError) as error:
        raise ExplorerError(f"{display_name(path)} is not a COCO file: {error}.") from error
    if not seen:
        raise ExplorerError(f"{display_name(path)} is not a COCO file.", 'It has no "images".')


# -- shards and addresses -------------------------------------------------------------------------


def _opened_tar(word: str) -> IO[bytes]:
    try:
        return open(word, "rb")
    except OSError as error:
        raise unreadable(word, error) from error


def _members(word: str, file: IO[bytes]) -> Iterator[Photo]:
    """The pictures of a shard in its own order; the bytes of each lie in one piece."""
    address = word if is_address(word) else os.path.abspath(word)
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                suffix = os.path.splitext(member.name)[1].lower()
                if member.isreg() and not member.issparse() and suffix in SUFFIXES:
                    name = "/".join(safe_parts(member.name))
                    yield Photo(name, address, member.offset_data, member.size)
                archive.members.clear()  # type: ignore[attr-defined] # it keeps every header
    except (tarfile.TarError, EOFError) as error:
        raise ExplorerError(
            f"{display_name(word)} is not an uncompressed tar file: {error}.", "Unpack it first."
        ) from error
    except OSError as error:
        raise unreadable(word, error) from error


def _remote(word: str, suffix: str) -> Iterator[Photo]:
    filesystem, path = opened_address(word)
    protocol = word.partition("://")[0]
    try:
        if suffix == ".tar":
            with filesystem.open(path, "rb") as file:
                yield from _members(word, file)
        elif suffix in LISTS:
            with filesystem.open(path, "r", encoding="utf-8", errors="surrogateescape") as file:
                yield from _lines(file, word.rpartition("/")[0])
        else:
            found = filesystem.glob(path) if _MAGIC.search(path) else filesystem.find(path)
            base = path.rstrip("/") if not _MAGIC.search(path) else path.rpartition("/")[0]
            for each in sorted(map(str, found), key=natural):
                if os.path.splitext(each)[1].lower() in SUFFIXES:
                    name = each.removeprefix(base).lstrip("/") or PurePosixPath(each).name
                    yield Photo(name, f"{protocol}://{each}")
    except (OSError, ValueError) as error:
        raise unreadable(word, error) from error


def opened_address(word: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path in it.

    Raises:
        ExplorerError: fsspec, or what it needs for this address, is not installed.
    """
    try:
        import fsspec

        filesystem, path = fsspec.core.url_to_fs(word)
    except (ImportError, ValueError) as error:
        raise ExplorerError(
            f"{word} cannot be opened: {error}.",
            "Addresses need fsspec and its package for this protocol: "
            "pip install 'convnet-explorer[cluster]'.",
        ) from error
    return filesystem, str(path)


def safe_parts(name: str) -> tuple[str, ...]:
    """The folders and the name of a photo as a path may have them below any folder."""
    words = [word for word in name.replace("\\", "/").split("/") if word not in ("", ".", "..")]
    if words and words[0].endswith(":"):
        del words[0]
    return tuple(word.replace("\0", "") for word in words) or ("unnamed",)
