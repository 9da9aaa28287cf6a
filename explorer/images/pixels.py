"""From any kind of pixels to 8-bit sRGB, by the rules that `explorer.images.image` states."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ImageCms

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import PIL.Image
    from numpy.typing import NDArray

BACKGROUND = (255, 255, 255)
"""What shows through transparent areas, on the canvas and in every network's input: white."""

ON_BACKGROUND = "Transparent areas are shown on white."
"""The note that says so; it names `BACKGROUND`."""

_PROFILE_BYTES = 4 * 1024 * 1024
_STRIP_PIXELS = 1 << 16  # what is computed on a strip stays in the cache: twice as fast as 1 << 20
_DEPTHS = (8, 10, 12, 16)  # what cameras and scanners put into 16-bit files


def scale_to_8(values: NDArray[Any], *, label: str) -> tuple[NDArray[np.uint8], str]:
    """Brings numbers to 0..255 by the rules of `explorer.images.image`.

    Args:
        values: Any shape, not empty; bool, integers or floats.
        label: What the picture is called in the error.

    Returns:
        The same shape in uint8, and a sentence about what was done, or "".

    Raises:
        ExplorerError: No value is finite.
    """
    if values.dtype == np.uint8:
        return values, ""
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255), ""
    if values.dtype == np.uint16:
        largest = int(values.max())
        bits = next(bits for bits in _DEPTHS if largest < 1 << bits)
        top = (1 << bits) - 1
        table = ((np.arange(top + 1, dtype=np.uint32) * 255 + top // 2) // top).astype(np.uint8)
        as_bits = f", taken as {bits} bits" if bits < 16 else ""
        return table[values], f"16-bit values were scaled to 8 bits{as_bits}."
    low, high, finite = _range(values)
    if not finite:
        raise ExplorerError(f"{label} has no finite values.", "Check how it was made.")
    if values.dtype.kind in "ui" and low >= 0 and high <= 255:
        return values.astype(np.uint8), ""
    unit = values.dtype.kind == "f" and low >= 0 and high <= 1
    start, end = (0.0, 1.0) if unit else (low, high)
    # Halves, because the difference of two huge floats overflows.
    span = end * 0.5 - start * 0.5
    out = np.zeros(values.shape, np.uint8)
    for top, strip in _strips(values):  # the doubles of a whole picture take 8 times its bytes
        good = np.isfinite(strip)
        wide = np.where(good, strip, strip.dtype.type(0)).astype(
            np.float64
        )  # casting a NaN may warn
        share = (wide * 0.5 - start * 0.5) / (span or 1.0)
        out[top : top + len(strip)] = np.where(good, np.rint(share * 255), 0)
    note = (
        "Floating-point values 0 to 1 were scaled to 0 to 255."
        if unit
        else f"Values {low:.6g} to {high:.6g} were stretched to 0 to 255."
    )
    if finite < values.size:
        note += f" {quantity(values.size - finite, 'value')} not finite, shown in black."
    return out, note


def composite(color: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lays `color` (H, W, 3) over `BACKGROUND` by `alpha` (H, W), rounding to the nearest."""
    if bool(
        ((alpha == 0) | (alpha == 255)).all()
    ):  # palettes and GIFs: no mixing, ten times faster
        cut = color.copy()
        cut[alpha == 0] = BACKGROUND
        return cut
    weight = alpha[:, :, np.newaxis].astype(np.uint16)
    back = np.asarray(BACKGROUND, np.uint16)
    mixed = color * weight + back * (255 - weight) + 127
    return (mixed // 255).astype(np.uint8)


def holds_numbers(picture: PIL.Image.Image) -> bool:
    """Whether the pixels are wider than 8 bits and need a rule to become colors."""
    return picture.mode in ("I", "F") or picture.mode.startswith("I;16")


def to_rgb(picture: PIL.Image.Image, label: str) -> tuple[NDArray[np.uint8], list[str]]:
    """Turns a loaded picture of any mode into colors.

    It is converted strip by strip: as a whole it would need three more copies.

    Args:
        picture: Loaded.
        label: What it is called in an error.

    Returns:
        (H, W, 3) uint8 sRGB, C-contiguous, not yet turned upright, and notes about what was done.

    Raises:
        ExplorerError: It has no finite values.
    """
    if holds_numbers(picture):
        return _numbers_to_rgb(picture, label)
    width, height = picture.size
    alpha = picture.has_transparency_data
    to_srgb, notes = _profile(picture, alpha)
    out = np.empty((height, width, 3), np.uint8)
    see_through = False
    rows = max(1, _STRIP_PIXELS // width)
    table = _flattened(to_srgb(_ramp(picture))) if picture.mode == "P" else None
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(top + rows, height)))
        if table is None:
            part, clear = _flattened(to_srgb(strip))
            see_through |= bool(clear.any())
        else:  # 256 colors are converted once, not every pixel
            indices = np.asarray(strip)
            part = table[0][0][indices]
            see_through = see_through or bool(table[1][0][indices].any())
        out[top : top + rows] = part
    if see_through:
        notes.append(ON_BACKGROUND)
    return out, notes


def _ramp(picture: PIL.Image.Image) -> PIL.Image.Image:
    """The 256 colors of a palette picture, side by side."""
    ramp = picture.crop((0, 0, 256, 1))
    ramp.frombytes(bytes(range(256)))
    return ramp


def _flattened(strip: PIL.Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """RGB or RGBA on the background: (H, W, 3), and where it was not opaque: (H, W)."""
    values = np.asarray(strip)
    if values.shape[2] == 3:
        return values, np.zeros(values.shape[:2], np.bool_)
    clear = values[:, :, 3] < 255
    color = composite(values[:, :, :3], values[:, :, 3]) if clear.any() else values[:, :, :3]
    return color, clear


def _numbers_to_rgb(picture: PIL.Image.Image, label: str) -> tuple[NDArray[np.uint8], list[str]]:
    values = np.asarray(picture)
    if values.dtype.kind == "u":  # big-endian files included
        values = values.astype(np.uint16, copy=False)
    elif values.dtype.kind == "i" and int(values.min()) >= 0 and int(values.max()) <= 65535:
        values = values.astype(np.uint16)
    gray, note = scale_to_8(values, label=label)
    notes = [note]
    clear = picture.info.get("transparency")
    if isinstance(clear, int) and bool((values == clear).any()):
        gray = np.where(values == clear, np.uint8(BACKGROUND[0]), gray)
        notes.append(ON_BACKGROUND)
    return np.repeat(gray[:, :, np.newaxis], 3, axis=2), notes


def _profile(
    picture: PIL.Image.Image, alpha: bool
) -> tuple[Callable[[PIL.Image.Image], PIL.Image.Image], list[str]]:
    """How to bring a strip to sRGB (RGB or RGBA): through its color profile, or by Pillow's rule.

    A profile that is broken, too large or of another kind than the pixels is ignored, with a note.
    """
    target = "RGBA" if alpha else "RGB"

    def plain(strip: PIL.Image.Image) -> PIL.Image.Image:
        return strip if strip.mode == target else strip.convert(target)

    raw = picture.info.get("icc_profile")
    if picture.mode != "LAB" and not (isinstance(raw, bytes) and raw):
        return plain, []
    between = picture.mode if picture.mode in ("L", "CMYK", "LAB") and not alpha else target
    try:
        if picture.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif isinstance(raw, bytes) and len(raw) <= _PROFILE_BYTES:
            source = ImageCms.ImageCmsProfile(io.BytesIO(raw))
        else:
            return plain, ["Its color profile is too large and was ignored."]
        title = (ImageCms.getProfileDescription(source) or "").strip()
        if "srgb" in title.lower():
            return plain, []
        convert = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), between, target)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return plain, ["Its color profile does not match and was ignored."]

    def through(strip: PIL.Image.Image) -> PIL.Image.Image:
        same = strip if strip.mode == between else strip.convert(between)
        return convert.apply(same)

    return through, [f"Colors were converted from {title or 'its profile'} to sRGB."]


def shrunk(rgb: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 made smaller so that its longer side has at most so many pixels."""
    height, width = rgb.shape[:2]
    share = longest / max(height, width)
    if share >= 1:
        return rgb
    import cv2  # most pictures stay as they are

    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undoes an EXIF orientation 1..8; `pixels` is (H, W, C), the result a view of it."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _range(values: NDArray[Any]) -> tuple[float, float, int]:
    """Smallest and largest finite value, and how many are finite."""
    low, high, count = float("inf"), float("-inf"), 0
    for _, strip in _strips(values):
        good = strip[np.isfinite(strip)]
        if good.size:
            low, high = min(low, float(good.min())), max(high, float(good.max()))
            count += int(good.size)
    return low, high, count


def _strips(values: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Runs of rows of about `_STRIP_PIXELS` values, each with the number of its first row."""
    rows = max(1, _STRIP_PIXELS // max(1, values[0].size))
    return ((top, values[top : top + rows]) for top in range(0, len(values), rows))
