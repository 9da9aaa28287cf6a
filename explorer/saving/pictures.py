"""Pictures with how they were made inside: PNG, JPEG, WebP and TIFF.

The metadata is one JSON object. A PNG holds it as the text chunk `KEY`, JPEG and WebP as the
EXIF tag UserComment, TIFF as its ImageDescription. `read_metadata` gives it back from any of them.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, PngImagePlugin

from explorer import __version__
from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import write_bytes
from explorer.saving.figures import FIGURE_SUFFIXES, is_figure, read_figure_metadata
from explorer.saving.plain_values import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from explorer.core.layers import UInt8

KEY = "convnet-explorer"
"""The name of the PNG text chunk that holds the metadata as JSON."""

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}

_LARGEST = {"JPEG": 65_500, "WEBP": 16_383}
_EXIF_IFD, _USER_COMMENT, _SOFTWARE, _DESCRIPTION = 0x8769, 0x9286, 0x0131, 0x010E
_ASCII = b"ASCII\0\0\0"  # the EXIF standard's mark of a comment's encoding
_MOST_COMMENT = 60_000  # a JPEG segment holds 64 KB


def save_picture(
    path: str | os.PathLike[str], rgb: UInt8, metadata: Mapping[str, Any] | None = None
) -> None:
    """Writes (H, W, 3) uint8 RGB in the format of the suffix, atomically.

    Args:
        path: Ends in one of `FORMATS`.
        rgb: The pixels.
        metadata: Plain values and numpy arrays; written as one JSON object.

    Raises:
        ExplorerError: When the suffix is not one of those, or the file cannot be written.
    """
    kind = picture_format(path)
    height, width = rgb.shape[:2]
    if max(height, width) > _LARGEST.get(kind, 1 << 30):
        raise ExplorerError(
            f"A {kind} file has at most {_LARGEST[kind]} pixels per side; this picture has "
            f"{width} x {height}.",
            "Save it as PNG.",
        )
    write_bytes(path, encoded(rgb, kind, metadata or {}))


def picture_format(path: str | os.PathLike[str]) -> str:
    """Pillow's name for the format that the suffix of `path` asks for.

    Raises:
        ExplorerError: When it asks for none of them; the sentence names them, and those of figures.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ExplorerError(
            f"{Path(path).name} has no supported picture suffix.",
            f"Choose among: {', '.join((*sorted(FORMATS), *FIGURE_SUFFIXES))}.",
        )
    return FORMATS[suffix]


def encoded(rgb: UInt8, kind: str, metadata: Mapping[str, Any]) -> bytes:
    """The bytes of a picture file of `kind` ("PNG", "JPEG", "WEBP" or "TIFF")."""
    picture = Image.fromarray(rgb)
    text = json.dumps(plain(metadata).value, ensure_ascii=True)
    buffer = io.BytesIO()
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Software", f"Convnet Explorer {__version__}")
        info.add_itxt(KEY, text)
        picture.save(buffer, kind, pnginfo=info, compress_level=4)
        return buffer.getvalue()
    if kind == "JPEG":
        picture.save(buffer, kind, quality=93, subsampling=0, exif=_exif(text))
    elif kind == "WEBP":
        picture.save(buffer, kind, quality=93, exif=_exif(text))
    else:
        software = f"Convnet Explorer {__version__}"
        picture.save(buffer, kind, compression="tiff_lzw", description=text, software=software)
    return buffer.getvalue()


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save_picture` or `save_figure` wrote into a file; empty for a file that has none.

    Raises:
        ExplorerError: When the file cannot be read as a picture.
    """
    if is_figure(path):
        return read_figure_metadata(path)
    try:
        with Image.open(path) as picture:
            text = getattr(picture, "text", {}).get(KEY) or _comment(picture.getexif())
    except (OSError, ValueError, SyntaxError) as error:
        raise ExplorerError(
            f"{Path(path).name} cannot be read as a picture.", "Choose another file."
        ) from error
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _exif(text: str) -> Image.Exif:
    if len(text) > _MOST_COMMENT:
        raise ExplorerError("There is too much metadata for this format.", "Save it as PNG.")
    exif = Image.Exif()
    exif[_SOFTWARE] = f"Convnet Explorer {__version__}"
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = _ASCII + text.encode("ascii")
    return exif


def _comment(exif: Image.Exif) -> str:
    if exif.get(_DESCRIPTION):
        return str(exif[_DESCRIPTION])
    comment = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT, b"")
    if isinstance(comment, bytes):
        return comment.removeprefix(_ASCII).decode("ascii", "replace")
    return str(comment).removeprefix(_ASCII.decode())
