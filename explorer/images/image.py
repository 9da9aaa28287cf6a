"""The one door for stills: every picture is opened here.

Whatever the file was (gray, palette, CMYK, 16-bit, rotated by EXIF, half transparent, cut off),
what comes out is upright (H, W, 3) uint8 RGB plus plain sentences about what had to be done to it.
The canvas and the networks get these same pixels.

The rules, each applied once and here:

- Only ordinary files are read, never a pipe or a device, and never more than `MAX_BYTES` of one.
- Sizes are refused by what the file declares, before anything is decoded.
- EXIF and TIFF orientation is applied. Color profiles are converted to sRGB.
- Transparency is composited on `BACKGROUND`, in sRGB values.
- 16-bit values v become round(v * 255 / 65535). Cameras and scanners store 8, 10 or 12 bits in 16:
  a picture without a value above 4095 (1023, 255) is divided by that instead. 32-bit integers of a
  file that lie within 0..65535 count as 16-bit. Floats within 0..1 are multiplied by 255. Anything
  else is stretched from its minimum to its maximum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from explorer.core.reading import display_name, read_file, too_many_bytes
from explorer.images.decoding import SUFFIXES, decode, decoded
from explorer.images.pixels import BACKGROUND, ON_BACKGROUND, composite, scale_to_8

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = [
    "BACKGROUND",
    "MAX_BYTES",
    "MAX_MEGAPIXELS",
    "SUFFIXES",
    "Image",
    "decode_image",
    "from_array",
    "from_pillow",
    "open_image",
    "thumbnail",
]

MAX_MEGAPIXELS = 64.0
"""Larger pictures are refused unless the caller (the user, asked) raises the limit."""

MAX_BYTES = 256 * 1024 * 1024
"""Larger files are refused: 64 megapixels of plain RGB take 192 MB."""

_SMALLER = "Save a smaller or compressed version of it."


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A still, upright and ready for any network.

    `pixels` is (H, W, 3) uint8 sRGB, C-contiguous and read-only. `name` is for display. `path` is
    None when the picture did not come from a file. `notes` are plain sentences about what was done
    to it. `frame` of `frames` counts from 0. `key` is a digest of the shape and the pixels: equal
    pictures have equal keys, in every process.
    """

    pixels: NDArray[np.uint8]
    name: str
    path: Path | None
    notes: tuple[str, ...]
    frames: int
    frame: int
    key: str

    def __post_init__(self) -> None:
        p = self.pixels
        if p.ndim != 3 or p.shape[2] != 3 or p.dtype != np.uint8 or p.size == 0:
            raise ValueError(
                f"Image.pixels must be a non-empty (H, W, 3) uint8, got {p.shape} {p.dtype}"
            )
        if p.flags.writeable or not p.flags.c_contiguous:
            raise ValueError("Image.pixels must be read-only and C-contiguous")

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])


def open_image(
    path: str | os.PathLike[str], *, frame: int = 0, max_megapixels: float = MAX_MEGAPIXELS
) -> Image:
    """Reads a still, or one frame of an animation or of a many-page file.

    Args:
        path: An ordinary file; its format is found by its content, not by its name.
        frame: Which frame or page, counted from 0.
        max_megapixels: Larger pictures are refused before they are decoded.

    Raises:
        ExplorerError: The file cannot be read, is no picture, is too large, or has no such frame.
    """
    place = Path(path)
    name = display_name(place)
    return _decoded(_read(place), name, place, frame, max_megapixels)


def decode_image(
    data: bytes, *, name: str, frame: int = 0, max_megapixels: float = MAX_MEGAPIXELS
) -> Image:
    """Like `open_image`, for the bytes of a file: from the clipboard, a drop or the network.

    Raises:
        ExplorerError: As `open_image`.
    """
    if len(data) > MAX_BYTES:
        raise too_many_bytes(name, len(data), MAX_BYTES, _SMALLER)
    return _decoded(data, name, None, frame, max_megapixels)


def from_pillow(picture: PIL.Image.Image) -> Image:
    """Makes an image of Pillow's, in any of its modes; a file that it has open stays open.

    Raises:
        ExplorerError: It cannot be decoded or is too large.
    """
    place = getattr(picture, "filename", "")
    name = display_name(Path(place)) if isinstance(place, str) and place else "picture"
    found = decoded(picture, label=name, max_pixels=_pixels(MAX_MEGAPIXELS))
    return _image(found.pixels.copy(), name, None, found.notes, 1, 0)


def from_array(array: NDArray[Any], name: str) -> Image:
    """Makes an image of numbers, by the rules at the top of this module.

    Args:
        array: (H, W), or (H, W, C) with 1 gray, 2 gray + alpha, 3 RGB or 4 RGBA channels; bool, any
            integer or float. Integers other than uint8 and uint16 are taken as they are when they
            lie within 0..255. A float alpha lies within 0..1.
        name: For display.

    Raises:
        ValueError: The array is not of that kind; the sentence names what it is.
        ExplorerError: It holds no finite value.
    """
    values = np.asarray(array)
    if values.ndim == 2:
        values = values[:, :, np.newaxis]
    if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4) or values.size == 0:
        raise ValueError(
            f"an image array is (H, W) or (H, W, 1 to 4) and not empty, got shape {array.shape}"
        )
    if values.dtype.kind not in "buif":
        raise ValueError(f"an image array holds bool, integers or floats, got {array.dtype}")
    channels = values.shape[2]
    has_alpha = channels in (2, 4)
    color, note = scale_to_8(values[:, :, : channels - has_alpha], label=name)
    notes = [note] if note else []
    if color.shape[2] == 1:
        color = np.repeat(color, 3, axis=2)
    if has_alpha:
        alpha = _alpha_to_8(values[:, :, -1])
        if int(alpha.min()) < 255:
            color = composite(color, alpha)
            notes.append(ON_BACKGROUND)
    return _image(np.array(color, order="C"), name, None, tuple(notes), 1, 0)


def thumbnail(path: str | os.PathLike[str], size: int) -> NDArray[np.uint8]:
    """Reads a small version of a file, fast: JPEGs are decoded at a fraction of their size.

    Args:
        path: As for `open_image`.
        size: The longer side of the result in pixels; smaller pictures stay as they are.

    Returns:
        (h, w, 3) uint8 sRGB, upright, h and w from 1 to `size`.

    Raises:
        ExplorerError: As `open_image`.
    """
    if size < 1:
        raise ValueError(f"a thumbnail has at least one pixel, got {size}")
    place = Path(path)
    name = display_name(place)
    data = _read(place)
    found = decode(data, label=name, frame=0, max_pixels=_pixels(MAX_MEGAPIXELS), draft=size)
    height, width = found.pixels.shape[:2]
    if max(height, width) <= size:
        return found.pixels
    # The gap lets Pillow drop whole pixels first, so that a 64-megapixel PNG shrinks in a blink.
    small = PIL.Image.fromarray(found.pixels)
    small.thumbnail((size, size), PIL.Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.array(small)


def _decoded(data: bytes, name: str, path: Path | None, frame: int, megapixels: float) -> Image:
    found = decode(data, label=name, frame=frame, max_pixels=_pixels(megapixels))
    return _image(found.pixels, name, path, found.notes, found.frames, frame)


def _image(
    pixels: NDArray[np.uint8],
    name: str,
    path: Path | None,
    notes: tuple[str, ...],
    frames: int,
    frame: int,
) -> Image:
    pixels.flags.writeable = False
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(pixels.data)
    return Image(pixels, name, path, notes, frames, frame, digest.hexdigest())


def _pixels(megapixels: float) -> int:
    return max(1, int(megapixels * 1_000_000))


def _alpha_to_8(alpha: NDArray[Any]) -> NDArray[np.uint8]:
    if alpha.dtype.kind == "f":
        if not bool(((alpha >= 0) & (alpha <= 1)).all()):
            raise ValueError("a float alpha channel lies within 0..1")
        scaled: NDArray[np.uint8] = np.rint(alpha * 255).astype(np.uint8)
        return scaled
    return scale_to_8(alpha, label="alpha")[0]


def _read(path: Path) -> bytes:
    return read_file(
        path,
        limit=MAX_BYTES,
        kind="an image file",
        smaller=_SMALLER,
        folder="Open it as a folder.",
    )
