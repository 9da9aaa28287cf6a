"""From the name of a source to the source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, read_head
from explorer.live.moving import SIZE, MovingScene, side_by_side
from explorer.live.screen import Screen, region_of
from explorer.live.source import SourceSpec
from explorer.live.video import FILM_SUFFIXES, Address, Camera, Film

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from explorer.live.source import Source

PLAYED = FILM_SUFFIXES - {".gif"}
"""Files that are played when they are opened; a GIF is a picture with frames to step through."""

SUBJECTS = ("motorcycle", "astronaut", "cat", "coffee")
"""Samples that the shipped detector knows, side by side in the built-in scene."""


_UNCLEAR = (".dat", ".ts")
"""Names of films and of quite other files: their first bytes tell."""

_FIRST_BYTES = re.compile(
    rb"\x00\x00\x01[\xb3\xba]|RIFF....(?:CDXA|AVI )|....ftyp|\x1aE\xdf\xa3|FLV|OggS"
    rb"|G.{187}G|\x00{4}G",
    re.DOTALL,
)


def is_film(path: str | Path) -> bool:
    """True for a name that is one of a film; only where it may be another's the file is read."""
    suffix = Path(path).suffix.lower()
    if suffix not in _UNCLEAR:
        return suffix in PLAYED
    try:
        head = read_head(path, 512)
    except ExplorerError:
        return suffix == ".ts"  # opening it gives the sentence
    return _FIRST_BYTES.match(head) is not None


def film_spec(path: str | Path) -> SourceSpec:
    return SourceSpec("film", str(path), title=display_name(path))


def source_of(spec: SourceSpec) -> Source:
    """The source that `spec` names, not open yet.

    Raises:
        ExplorerError: There is no such source.
    """
    if spec.kind == "camera":
        return Camera(spec.where, spec.size, spec.name)
    if spec.kind == "film":
        return Film(Path(spec.where))
    if spec.kind == "address":
        return Address(spec.where)
    if spec.kind == "screen":
        return Screen(region_of(spec.where))
    return MovingScene(_subject(spec.where), spec.size or SIZE)


def _subject(name: str) -> NDArray[np.uint8] | None:
    from explorer.images.sources import gallery

    samples = {sample.name: sample for sample in gallery()}
    wanted = (name,) if name in samples else SUBJECTS
    photos = [samples[word].load().pixels for word in wanted if word in samples]
    return side_by_side(photos) if photos else None
