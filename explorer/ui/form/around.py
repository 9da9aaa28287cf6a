"""What a form may offer beside the parameters themselves: photos, networks, the photo's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from explorer.networks.entry import Entry


@dataclass(frozen=True, slots=True)
class Around:
    """What is there to choose from.

    Attributes:
        photos: Of the filmstrip: what an `ImageRef` holds, and words for people.
        networks: The catalog.
        size: Width and height of the photo in pixels, None without one.
        photo: Its path or its name.
    """

    photos: tuple[tuple[str, str], ...] = ()
    networks: tuple[Entry, ...] = ()
    size: tuple[int, int] | None = None
    photo: str = ""
