"""The bytes of a photo, wherever it is: a file, a member of a tar shard, an fsspec address."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from explorer.batch.photos import is_address, opened_address
from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, read_file, too_many_bytes, unreadable
from explorer.images.image import MAX_BYTES, decode_image

if TYPE_CHECKING:
    from explorer.batch.photos import Photo
    from explorer.images.image import Image

Stamp = tuple[int, int]
"""Size and time of change in nanoseconds of a file."""

NO_STAMP: Stamp = (-1, -1)
"""Of what is no file of this machine."""

_SMALLER = "Save a smaller or compressed version of it."


def stamp_of(address: str) -> Stamp:
    """The stamp of a file; `NO_STAMP` where there is none."""
    if is_address(address):
        return NO_STAMP
    try:
        status = os.stat(address)
    except (OSError, ValueError):
        return NO_STAMP
    return status.st_size, status.st_mtime_ns


def open_photo(photo: Photo) -> Image:
    """The photo, upright; its `name` is the one in the source.

    Raises:
        ExplorerError: It cannot be read or decoded, or was changed meanwhile.
    """
    before = stamp_of(photo.address)
    data = _bytes(photo)
    if stamp_of(photo.address) != before:
        raise ExplorerError(
            f"{display_name(photo.name)} was changed while it was read.", "Run the job again."
        )
    return decode_image(data, name=display_name(photo.name))


def _bytes(photo: Photo) -> bytes:
    name = display_name(photo.name)
    if photo.size > MAX_BYTES:
        raise too_many_bytes(name, photo.size, MAX_BYTES, _SMALLER)
    remote = is_address(photo.address)
    if not remote and photo.offset < 0:
        return read_file(
            photo.address, limit=MAX_BYTES, kind="an image file", smaller=_SMALLER,
            folder="Choose a photo in it.",
        )  # fmt: skip
    try:
        if remote:
            filesystem, path = opened_address(photo.address)
            if photo.offset >= 0:
                found: bytes = filesystem.cat_file(
                    path, start=photo.offset, end=photo.offset + photo.size
                )
            else:
                found = filesystem.cat_file(path, end=MAX_BYTES + 1)
        else:
            with open(photo.address, "rb") as file:
                file.seek(photo.offset)
                found = file.read(photo.size)
    except (OSError, ValueError) as error:
        raise unreadable(photo.name, error) from error
    if photo.offset >= 0 and len(found) < photo.size:
        raise ExplorerError(f"{name} ends early: its shard was cut short.", "Copy it again.")
    return found
