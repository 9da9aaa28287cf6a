"""What a long computation has so far, in one file: plain values and arrays, never code.

The file is an npz whose entry `content` holds a JSON text. It is written atomically and read
without pickles: a file that anybody may have made can do no more than be refused.
"""

from __future__ import annotations

import io
import json
import logging
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.storage.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

log = logging.getLogger(__name__)

CONTENT = "content"

DAMAGED = (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile)
"""What numpy and json raise for a file that was cut short or is something else."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A state: `content` as JSON has it, and arrays by name."""

    content: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def write(path: Path, checkpoint: Checkpoint) -> int:
    """Writes the whole file or leaves what is there; returns its bytes.

    Raises:
        ExplorerError: With the system's own words, when it cannot be written.
    """
    data = encoded(checkpoint)
    write_bytes(path, data)
    return len(data)


def encoded(checkpoint: Checkpoint) -> bytes:
    """The bytes of its file; equal checkpoints have equal ones."""
    if CONTENT in checkpoint.arrays:
        raise ValueError(f"no array may be called {CONTENT!r}")
    file = io.BytesIO()
    text = np.array(json.dumps(checkpoint.content))
    np.savez(file, allow_pickle=False, **{CONTENT: text, **checkpoint.arrays})
    return file.getvalue()


def read(path: Path) -> Checkpoint | None:
    """What `write` kept there; None when there is none, or a damaged one (which is logged)."""
    try:
        file = io.BytesIO(path.read_bytes())  # numpy leaves a damaged file open
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        content = json.loads(str(arrays.pop(CONTENT)))
        if not isinstance(content, dict):
            raise ValueError(f"its content is a {type(content).__name__}")
    except FileNotFoundError:
        return None
    except DAMAGED as error:
        log.warning("%s cannot be read and counts as missing: %s", path, error)
        return None
    return Checkpoint(content, arrays)
