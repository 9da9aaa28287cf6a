"""Figures with the metadata of how they were made inside: SVG and PDF.

The metadata is one JSON object, in an SVG's <metadata> and in a PDF's XMP.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import unescape

from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import write_bytes
from explorer.saving.plain_values import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from explorer.render.vector.drawing import Drawing

FIGURE_SUFFIXES = (".svg", ".pdf")

_METADATA = re.compile(rb"<(?:explorer:)?metadata>(\{.*?\})</", re.DOTALL)


def is_figure(path: str | os.PathLike[str]) -> bool:
    """Whether the suffix of `path` asks for a figure rather than for pixels."""
    return Path(path).suffix.lower() in FIGURE_SUFFIXES


def save_figure(
    path: str | os.PathLike[str],
    drawing: Drawing,
    metadata: Mapping[str, Any] | None = None,
    *,
    title: str = "",
) -> None:
    """Writes a drawing in the format of the suffix, atomically.

    Args:
        path: Ends in one of `FIGURE_SUFFIXES`.
        drawing: What `explorer.render.vector.figure` draws.
        metadata: Plain values and numpy arrays; written as one JSON object.
        title: Of the document.

    Raises:
        ExplorerError: When the suffix is not one of those, the file cannot be written, or a
            character cannot be written into a PDF.
    """
    text = json.dumps(plain(metadata or {}).value, ensure_ascii=True)
    suffix = Path(path).suffix.lower()
    if suffix == ".svg":
        from explorer.render.vector.svg import svg_bytes

        data = svg_bytes(drawing, title=title, metadata=text)
    elif suffix == ".pdf":
        from explorer.render.vector.pdf import pdf_bytes

        data = pdf_bytes(drawing, title=title, metadata=text)
    else:
        raise ExplorerError(
            f"{Path(path).name} has no supported figure suffix.",
            f"Choose among: {', '.join(FIGURE_SUFFIXES)}.",
        )
    write_bytes(path, data)


def read_figure_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save_figure` wrote into a file; empty for a file that has none.

    Raises:
        ExplorerError: When the file cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ExplorerError(
            f"{Path(path).name} cannot be read.", "Check the file and its permissions."
        ) from error
    match = _METADATA.search(data)
    try:
        found = json.loads(unescape(match[1].decode("ascii"))) if match else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
