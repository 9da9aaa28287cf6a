"""Recordings that were begun: what a killed program left of them is found at the next start."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.core.settings import config_folder
from explorer.core.storage.atomic import write_bytes
from explorer.saving.film_pieces import Busy, recovered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from explorer.saving.film_pieces import Record

log = logging.getLogger(__name__)

NAME = "recordings.json"


def remember(film: Path) -> None:
    """A recording of `film` was begun."""
    _write([*(path for path in remembered() if path != film.resolve()), film.resolve()])


def forget(film: Path) -> None:
    """It is whole, or there is nothing of it."""
    known = remembered()
    if film.resolve() in known:
        _write([path for path in known if path != film.resolve()])


def remembered() -> list[Path]:
    """Begun and not yet whole."""
    try:
        found = json.loads((config_folder() / NAME).read_bytes())
    except (OSError, ValueError):
        return []
    return [Path(entry) for entry in found if isinstance(entry, str)]


def recover() -> Iterator[tuple[Path, Record | ExplorerError]]:
    """Makes films of what was left; of each how much it is, or why there is none.

    Recordings that another running program is at are left to it.
    """
    for film in remembered():
        try:
            record = recovered(film)
        except Busy:
            continue
        except ExplorerError as error:
            yield film, error
            continue
        forget(film)
        if record is not None:
            yield film, record


def _write(films: list[Path]) -> None:
    place = config_folder() / NAME
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(place, json.dumps([str(film) for film in films]).encode("ascii"))
    except (OSError, ExplorerError) as error:  # the recording itself is not in danger
        log.warning("unfinished recordings cannot be remembered: %s", error)
