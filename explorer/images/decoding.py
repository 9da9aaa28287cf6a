"""From the bytes of an image file to upright RGB: the inner room of `explorer.images.image`.

Pillow reads the files, by content and from an allow-list of formats. It raises nearly every
exception there is when a file is broken, some of its decoders are written in Python and slow, and
its limits are process-wide switches. All of that is dealt with here, so that a caller gets pixels
or an ExplorerError.
"""

from __future__ import annotations

import ctypes
import io
import re
import struct
import threading
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from PIL import UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from explorer.core.errors import ExplorerError
from explorer.images.frame_count import MAX_FRAMES, count_frames
from explorer.images.pixels import holds_numbers, to_rgb, upright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

# fmt: off
SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff",
    ".bmp", ".avif", ".avifs", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpx", ".j2c", ".ico",
    ".cur", ".icns", ".psd", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".pcx", ".qoi", ".sgi", ".rgb",
    ".tga",
})
"""Listed as pictures in folders; a file given by name is tried whatever it is called."""

_FORMATS = (
    "JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000", "ICO", "CUR", "ICNS",
    "PSD", "PPM", "PCX", "QOI", "SGI",
)
"""Tried in this order. Not EPS (runs a program), no game textures, no scientific containers."""
# fmt: on

_NO_MAGIC = {".tga": "TGA", ".icb": "TGA", ".vda": "TGA", ".vst": "TGA"}
"""Formats without a signature: any bytes may look like one, so only their own suffix opens them."""

_FOREIGN: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"%!PS", "a PostScript file", "Export it as PNG or JPEG."),
    (0, b"%PDF", "a PDF document", "Export the page as PNG or JPEG."),
    (0, b"<svg", "an SVG drawing", "Export it as PNG."),
    (0, b"<?xml", "an XML or SVG file", "Export it as PNG."),
    (0, b"<!DOCTYPE", "a web page", "Save the picture itself, not the web page."),
    (0, b"<html", "a web page", "Save the picture itself, not the web page."),
    (0, b"#?RADIANCE", "a Radiance HDR picture", "Convert it to PNG or TIFF."),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture", "Convert it to PNG or TIFF."),
    (0, b"DDS ", "a DDS texture", "Convert it to PNG."),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM video", "Open it as a video."),
    (4, b"ftypheic", "a HEIC photo", "Install the package pillow-heif to read these."),
    (4, b"ftypmif1", "a HEIF photo", "Install the package pillow-heif to read these."),
    (4, b"ftypavif", "an AVIF photo", "Install a Pillow with AVIF support to read these."),
    (4, b"ftyp", "an MP4 or QuickTime video", "Open it as a video."),
    (0, b"PK\x03\x04", "a ZIP archive", "Unpack it first."),
)

# Fuzzing Pillow's decoders brings out nearly every kind of exception, so they are listed by their
# bases and translated in one place. Not listed: MemoryError (it has its own sentence),
# ExplorerError, Cancelled, and whatever asks the process to end.
DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    AssertionError,
    NameError,
    BufferError,
    RuntimeError,
    SystemError,
    struct.error,
    zlib.error,
)

_SLOW_SHARE = 0.04
"""Of the limit, for formats decoded in Python: up to 1.4 s a megapixel, holding the interpreter."""

_JPEG2000_SHARE = 0.375
"""Of the limit: 55 ms and 20 MB a megapixel, which a file of 2 kB can ask for."""

_SCAN_PIXELS = 4_000_000_000
"""Pixels times scans of a progressive JPEG: a tiny file can ask for thousands (0.4 ns a pixel)."""

_SEEK_PIXELS = 2_000_000_000
"""Pixels to decode on the way to a frame: most animations can only be played from their start."""

_PARTLY = "Damaged: parts of the picture may be missing or wrong."
_ORIENTATION = 0x0112
_PILLOW = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """`pixels` is (H, W, 3) uint8 sRGB, upright, C-contiguous; `frames` is at least 1."""

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...]
    frames: int


def decode(data: bytes, *, label: str, frame: int, max_pixels: int, draft: int = 0) -> Decoded:
    """Decodes one frame of an image file.

    Args:
        data: The whole file.
        label: What the file is called in sentences; its suffix admits formats without a signature.
        frame: Counted from 0.
        max_pixels: More declared pixels are refused before decoding.
        draft: When positive, JPEGs may come out smaller, but not smaller than this on both sides.

    Raises:
        ExplorerError: For every file that cannot be shown.
    """
    if not data:
        raise ExplorerError(f"{label} is empty (0 bytes).", "Download or copy it again.")
    if frame < 0:
        raise ExplorerError(f"{label} has no frame {frame}.", "Frames are counted from 0.")
    with _pillow(max_pixels), _translated(label, max_pixels):
        picture = _open(data, label)
        _refuse_size(picture, data, label, max_pixels)
        frames = count_frames(picture, data)
        _seek(picture, frame, frames, label)
        if draft:
            picture.draft(None, (draft, draft))
        turned = _turned_by_pillow(picture)
        # Raw modes such as "RGB;16B"; not "BGR;16", whose 16 bits are all three channels together.
        deep = any(
            code in str(tile[3]) for tile in picture.tile for code in (";16B", ";16L", ";16N")
        )
        picture, damage = _load(picture, data, label)
        if picture.width * picture.height > max_pixels:  # an icon may hold more than it declares
            raise _too_large(label, max_pixels, picture.width * picture.height)
        pixels, notes = to_rgb(picture, label)
        if deep and not holds_numbers(picture):
            notes.insert(0, "16-bit values were scaled to 8 bits.")
        orientation = _orientation(picture)
        picture.close()
    if damage:
        notes.insert(0, damage)
    if orientation != 1:
        pixels = np.ascontiguousarray(upright(pixels, orientation))
    if max(orientation, turned) != 1:
        notes.append(f"Rotated upright (EXIF orientation {max(orientation, turned)}).")
    if frames > 1:
        more = " or more" if frames == MAX_FRAMES else ""
        notes.append(f"Frame {frame + 1} of {frames}{more}.")
    return Decoded(pixels, tuple(notes), frames)


def decoded(picture: PIL.Image.Image, *, label: str, max_pixels: int) -> Decoded:
    """As `decode`, for a picture that is open already; it stays open.

    Raises:
        ExplorerError: As `decode`.
    """
    with _pillow(max_pixels), _translated(label, max_pixels):
        if picture.width * picture.height > max_pixels:
            raise _too_large(label, max_pixels, picture.width * picture.height)
        picture.load()
        pixels, notes = to_rgb(picture, label)
        orientation = _orientation(picture)
    if orientation != 1:
        pixels = np.ascontiguousarray(upright(pixels, orientation))
        notes.append(f"Rotated upright (EXIF orientation {orientation}).")
    return Decoded(pixels, tuple(notes), 1)


@contextmanager
def _pillow(max_pixels: int) -> Iterator[None]:
    """Pillow's process-wide switches, set for one decode and put back.

    Its own size check then guards what is inside a file (frames, icons in an icon) with our limit,
    and its warnings about odd files stay silent. The filters name Pillow alone, so that a mix-up
    with another thread that changes the filters at the same moment silences nothing else.
    """
    with _PILLOW, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b|explorer\.(decoding|frames)")
        warnings.filterwarnings("error", category=PIL.Image.DecompressionBombWarning)
        before = PIL.Image.MAX_IMAGE_PIXELS
        PIL.Image.MAX_IMAGE_PIXELS = max_pixels
        try:
            yield
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = before


@contextmanager
def _translated(label: str, max_pixels: int) -> Iterator[None]:
    """The one place where a decoder's exception becomes a sentence."""
    try:
        yield
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        size = re.search(r"\((\d+) pixels\)", str(error))  # Pillow gives it nowhere else
        raise _too_large(label, max_pixels, int(size[1]) if size else None) from error
    except MemoryError as error:
        raise ExplorerError(
            f"There is not enough memory to decode {label}.",
            "Close other programs, or scale it down.",
        ) from error
    except DECODER_ERRORS as error:
        raise ExplorerError(
            f"{label} is damaged and cannot be decoded.",
            "Download or copy it again, or save it again with another program.",
        ) from error


@cache
def _formats() -> tuple[str, ...]:
    PIL.Image.init()  # all plug-ins at once: which ones are there never depends on earlier files
    _quiet_libtiff()
    try:
        import pillow_heif
    except ImportError:
        pass
    else:
        pillow_heif.register_heif_opener()
    return tuple(name for name in _FORMATS if name in PIL.Image.OPEN)


def _quiet_libtiff() -> None:
    """Silences libtiff, which reports every odd tag on the terminal; errors become sentences.

    The library is the one that came with Pillow; that of a Linux distribution is left as it is.
    """
    packages = Path(PIL.Image.__file__).parents[1]
    for path in (*packages.glob("pillow.libs/libtiff*"), *packages.glob("PIL/.dylibs/libtiff*")):
        library = ctypes.CDLL(str(path))
        for name in ("TIFFSetWarningHandler", "TIFFSetErrorHandler"):
            setter = getattr(library, name)
            setter.argtypes, setter.restype = (ctypes.c_void_p,), ctypes.c_void_p
            setter(None)


def _open(data: bytes, label: str) -> ImageFile:
    dot = label.rfind(".")
    special = _NO_MAGIC.get(label[dot:].lower()) if dot >= 0 else None
    # First, because an uncompressed TGA begins like a cursor file.
    formats = (special, *_formats()) if special else _formats()
    try:
        return PIL.Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        pass
    for offset, magic, what, hint in _FOREIGN:
        if data.startswith(magic, offset):
            raise ExplorerError(f"{label} is {what}, which cannot be opened here.", hint)
    if any(accepts(data[:16]) for accepts in _signatures()):
        raise ExplorerError(
            f"{label} is damaged and cannot be decoded.",
            "Download or copy it again, or save it again with another program.",
        )
    raise ExplorerError(
        f"{label} is not a picture in a known format.",
        "JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, JPEG 2000, PSD, ICO, PNM, QOI, TGA can be opened.",
    )


@cache
def _signatures() -> tuple[Callable[[bytes], bool | str], ...]:
    found = (PIL.Image.OPEN[name][1] for name in _formats())
    return tuple(accepts for accepts in found if accepts is not None)


def _refuse_size(picture: ImageFile, data: bytes, label: str, max_pixels: int) -> None:
    pixels = picture.width * picture.height
    if pixels < 1:
        raise ExplorerError(f"{label} has no pixels.", "Choose another picture.")
    if pixels > max_pixels:
        raise _too_large(label, max_pixels, pixels)
    slow = any(tile[0] in PIL.Image.DECODERS for tile in picture.tile)
    share = _SLOW_SHARE if slow else _JPEG2000_SHARE if picture.format == "JPEG2000" else 1.0
    if pixels > max_pixels * share:
        raise ExplorerError(
            f"{label} would take too long to decode: {pixels / 1e6:.1f} megapixels of this format.",
            "Convert it to PNG, or scale it down.",
        )
    # The marker cannot occur inside coded data, where FF is always followed by 00.
    scans = data.count(b"\xff\xda") if picture.format in ("JPEG", "MPO") else 0
    if scans * pixels > _SCAN_PIXELS:
        raise ExplorerError(
            f"{label} would take too long to decode: it has {scans} scans.",
            "Save it again with another program.",
        )


def _too_large(label: str, limit: int, pixels: int | None = None) -> ExplorerError:
    what = f"{pixels / 1e6:.1f} megapixels" if pixels else "too many pixels"
    return ExplorerError(
        f"{label} has {what}; at most {limit / 1e6:g} megapixels can be opened.",
        "Scale it down, then open it again.",
    )


def _seek(picture: ImageFile, frame: int, frames: int, label: str) -> None:
    if frame >= frames:
        raise ExplorerError(f"{label} has no frame {frame + 1}.", f"It has {frames}.")
    if frame == 0:
        return
    if picture.format != "TIFF" and frame * picture.width * picture.height > _SEEK_PIXELS:
        raise ExplorerError(
            f"Frame {frame + 1} of {label} is too far into the animation.",
            "Shorten the animation, or open it as a video.",
        )
    picture.seek(frame)


def _load(picture: ImageFile, data: bytes, label: str) -> tuple[ImageFile, str]:
    """Decodes; a broken file keeps what was decoded before the break.

    Pillow's own switch for that is process-wide and also accepts files without a single pixel. Here
    the picture is asked, after the failure, for what its decoder has already written.
    """
    try:
        picture.load()
    except DECODER_ERRORS as error:
        if picture.tile:
            picture.tile = []
            if isinstance(picture, TiffImageFile):
                picture.load_end()  # turns the picture, as its size shows
        picture.load()
        box = picture.getbbox(alpha_only=False)
        if box is None and picture.format in ("JPEG", "MPO") and not data.endswith(b"\xff\xd9"):
            # A progressive JPEG paints only at its end: give it one.
            return _load(_open(data + b"\xff\xd9", label), data + b"\xff\xd9", label)[0], _PARTLY
        if box is None:
            raise ExplorerError(
                f"{label} is damaged: no part of it could be decoded.", "Download or copy it again."
            ) from error
        return picture, _part(picture, box[1], box[3])
    return picture, ""


def _part(picture: ImageFile, top: int, bottom: int) -> str:
    height = picture.height
    if bottom < height:
        return f"Damaged: only the upper {bottom * 100 // height}% could be decoded."
    if top > 0 and picture.format in ("BMP", "TGA"):  # stored upside down
        return f"Damaged: only the lower {(height - top) * 100 // height}% could be decoded."
    return _PARTLY


def _turned_by_pillow(picture: ImageFile) -> int:
    """The orientation that loading undoes by itself and then forgets: that of TIFF files."""
    if isinstance(picture, TiffImageFile):
        value = picture.tag_v2.get(_ORIENTATION, 1)
        return value if isinstance(value, int) and 1 <= value <= 8 else 1
    return 1


def _orientation(picture: PIL.Image.Image) -> int:
    # Only after loading: asking a PNG for its metadata decodes it.
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1  # broken metadata never costs the picture
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
