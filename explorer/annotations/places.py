"""Where the photos of an annotation file are, and how its small files are read."""

from __future__ import annotations

from pathlib import Path

from explorer.core.reading import read_file
from explorer.images.image import SUFFIXES

MAX_SMALL_BYTES = 16 * 1024**2
"""For the annotations of one photo."""


class Places:
    """Finds the photos of an annotation file in the usual folders around it."""

    def __init__(self, path: Path) -> None:
        folder = path.parent
        part = path.stem.rpartition("_")[2]  # annotations/instances_val2017.json, val2017/
        around = ("", "images", "JPEGImages", part, f"images/{part}")
        tree = [base / name for base in (folder, folder.parent) for name in around]
        if folder.parent.name == "labels":  # labels/train/a.txt, images/train/a.jpg
            tree.append(folder.parent.parent / "images" / folder.name)
        self._folders = [place for place in dict.fromkeys(tree) if place.is_dir()]
        self._first = folder

    def find(self, name: str) -> Path:
        """The photo called `name`, with or without its suffix and folders."""
        # Only what lies around the file: a name may not lead anywhere else.
        words = [word for word in name.replace("\\", "/").split("/") if word not in ("", ".", "..")]
        inner = Path(*words) if words and "\0" not in name else Path("unnamed")
        for candidate in dict.fromkeys((inner, Path(inner.name))):
            for folder in self._folders:
                if (folder / candidate).is_file():
                    self._prefer(folder)
                    return folder / candidate
        if inner.suffix.lower() not in SUFFIXES:
            for folder in self._folders:
                for suffix in (".jpg", ".png", ".jpeg", ".JPG", ".bmp", ".webp"):
                    if (folder / f"{inner.name}{suffix}").is_file():
                        self._prefer(folder)
                        return folder / f"{inner.name}{suffix}"
        return self._first / inner

    def _prefer(self, folder: Path) -> None:
        if self._folders[0] != folder:  # the next photo is most likely there too
            self._folders.remove(folder)
            self._folders.insert(0, folder)


def read_bytes(path: Path) -> bytes:
    """The bytes of the annotations of one photo.

    Raises:
        ExplorerError: They cannot be read.
    """
    return read_file(
        path, limit=MAX_SMALL_BYTES, kind="an annotation file", smaller="Is it one of a photo?"
    )


def read_text(path: Path) -> str:
    """Like `read_bytes`; what is no UTF-8 becomes question marks."""
    return read_bytes(path).decode("utf-8-sig", "replace")
