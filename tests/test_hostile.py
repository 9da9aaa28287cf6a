"""Whatever a file holds, it ends in a picture or in one sentence."""

from __future__ import annotations

import io
import random
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest

from explorer.core.errors import ExplorerError
from explorer.images.image import decode_image, open_image, thumbnail
from tests.data import shared_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE = shared_data("hostile")
OPENS_ENTIRELY = {
    "01_exif_orientation",
    "02_jpeg_odd_but_valid",
    "07_webp",
    "09_tiff_16bit_float_cmyk_multipage",
    "17_alpha_palette_16bit_png",
}
REFUSED_ENTIRELY = {"14_bombs_and_timeouts", "15_fuzz_png", "16_fuzz_pnm", "16_fuzz_webp"}


def picture_or_sentence(load: Callable[[], Any]) -> bool:
    """Whether a picture came; anything but a picture or a sentence fails."""
    try:
        found = load()
    except ExplorerError as error:
        found = error
    if isinstance(found, ExplorerError):
        assert found.message.endswith("."), found.message
        assert "\n" not in found.message
        assert found.hint.endswith("."), found.hint
        return False
    pixels = getattr(found, "pixels", found)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.size
    return True


@pytest.mark.skipif(HOSTILE is None, reason="the shared data are not here")
def test_hostile_files() -> None:
    assert HOSTILE is not None
    came: dict[str, list[bool]] = {}
    for folder in sorted(HOSTILE.iterdir()):
        for path in sorted(folder.iterdir()):
            came.setdefault(folder.name, []).append(_both(path))
    assert sum(map(len, came.values())) >= 200
    for name in OPENS_ENTIRELY & set(came):
        assert all(came[name]), name
    for name in REFUSED_ENTIRELY & set(came):
        assert not any(came[name]), name


def _both(path: Path) -> bool:
    came = picture_or_sentence(lambda: open_image(path))
    assert picture_or_sentence(lambda: thumbnail(path, 64)) == came, path
    return came


@pytest.mark.skipif(HOSTILE is None, reason="the shared data are not here")
def test_memory_for_hostile_files_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No decoder is even started on more pixels than the limit."""
    assert HOSTILE is not None
    largest = 0
    core = vars(PIL.Image)["core"]  # the compiled part, where pixels are allocated
    new = core.new

    def counted(mode: str, size: tuple[int, int]) -> Any:
        nonlocal largest
        largest = max(largest, size[0] * size[1])
        return new(mode, size)

    monkeypatch.setattr(core, "new", counted)
    for path in sorted(HOSTILE.rglob("*")):
        if path.is_file():
            picture_or_sentence(partial(open_image, path, max_megapixels=2))
    assert 0 < largest <= 2_000_000


# Mutants


def seeds() -> list[tuple[str, bytes]]:
    """Small files of every format that Pillow can write, with the metadata that decoders parse."""
    values = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    base = PIL.Image.fromarray(values).resize((36, 27), PIL.Image.Resampling.BICUBIC)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    pages = {"save_all": True, "append_images": [base.rotate(90), base.rotate(180)]}
    wanted: list[tuple[str, PIL.Image.Image, str, dict[str, Any]]] = [
        ("a.jpg", base, "JPEG", {"exif": exif}),
        ("b.jpg", base, "JPEG", {"progressive": True}),
        ("c.jpg", base.convert("CMYK"), "JPEG", {}),
        ("a.png", base, "PNG", {"exif": exif}),
        ("b.png", base.convert("RGBA"), "PNG", {}),
        ("c.png", base.quantize(16), "PNG", {"transparency": 3}),
        ("d.png", base.convert("I;16"), "PNG", {}),
        ("e.png", base, "PNG", pages),
        ("a.gif", base, "GIF", {**pages, "disposal": 2}),
        ("a.webp", base, "WEBP", {"exif": exif}),
        ("b.webp", base.convert("RGBA"), "WEBP", {"lossless": True}),
        ("c.webp", base, "WEBP", pages),
        ("a.tif", base, "TIFF", {**pages, "exif": exif}),
        ("b.tif", base, "TIFF", {"compression": "tiff_lzw"}),
        ("c.tif", base, "TIFF", {"compression": "jpeg"}),
        ("d.tif", base.convert("F"), "TIFF", {}),
        ("e.tif", base.convert("1"), "TIFF", {"compression": "packbits"}),
        ("a.bmp", base, "BMP", {}),
        ("b.bmp", base.quantize(16), "BMP", {}),
        ("a.jp2", base, "JPEG2000", {}),
        ("a.ico", base, "ICO", {"sizes": [(16, 16), (24, 24)]}),
        ("b.ico", base, "ICO", {"bitmap_format": "bmp"}),
        ("a.icns", base.resize((32, 32)), "ICNS", {}),
        ("a.ppm", base, "PPM", {}),
        ("a.pcx", base, "PCX", {}),
        ("a.tga", base, "TGA", {"compression": "tga_rle"}),
        ("a.sgi", base, "SGI", {}),
        ("a.qoi", base, "QOI", {}),
        ("a.avif", base, "AVIF", {}),
    ]
    PIL.Image.init()
    found = []
    for name, picture, kind, options in wanted:
        if kind in PIL.Image.SAVE:
            buffer = io.BytesIO()
            picture.save(buffer, kind, **options)
            found.append((name, buffer.getvalue()))
    return found


EDGES = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def mutant(data: bytes, chance: random.Random) -> bytes:
    """One to eight changes: bits, edge values, cuts, gaps and repeats, more often near the head."""
    body = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 4, 8])):
        if not body:
            break
        near = chance.random() < 0.4
        at = chance.randrange(min(len(body), 200) if near else len(body))
        match chance.randrange(10):
            case 0 | 1 | 2:
                body[at] ^= 1 << chance.randrange(8)
            case 3 | 4:
                body[at] = chance.choice([0, 255, chance.randrange(256)])
            case 5 | 6:
                width = chance.choice([2, 4])
                value = chance.choice(EDGES) % 256**width
                order = chance.random() < 0.5
                body[at : at + width] = value.to_bytes(width, "little" if order else "big")
            case 7:
                del body[at:]
            case 8:
                del body[at : at + chance.randrange(1, 40)]
            case _:
                start = chance.randrange(len(body))
                body[at:at] = body[start : start + chance.randrange(1, 60)]
    if body[:4] == b"\x89PNG" and chance.random() < 0.8:
        return signed(body)
    return bytes(body)


def signed(body: bytearray) -> bytes:
    """A PNG with its check sums put right again, so that what is inside gets read."""
    at = 8
    while at + 12 <= len(body):
        size = int.from_bytes(body[at : at + 4], "big")
        end = at + 8 + size
        if end + 4 > len(body):
            break
        body[end : end + 4] = zlib.crc32(body[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(body)


def test_mutants_end_in_a_picture_or_a_sentence() -> None:
    chance = random.Random(20)
    bases = seeds()
    came = {True: 0, False: 0}
    for number in range(900):
        name, data = bases[number % len(bases)]
        broken = mutant(data, chance)
        frame = chance.choice([0, 0, 0, 1, 2])
        try:
            load = partial(decode_image, broken, name=name, frame=frame, max_megapixels=4)
            came[picture_or_sentence(load)] += 1
        except Exception as error:
            error.add_note(f"mutant {number} of {name}, frame {frame}: {broken.hex()}")
            raise
    assert min(came.values()) > 100, came


@pytest.mark.parametrize(
    "bits",
    [0x7F800001, 0xFFC00000, 0x7F7FFFFF, 0x00000001, 0xFF800000],
    ids=["signalling NaN", "NaN", "largest", "smallest", "minus infinity"],
)
def test_odd_floats(bits: int) -> None:
    values = np.array([[bits, 0x3F000000]], "<u4").view("<f4")
    data = b"Pf\n2 1\n-1.0\n" + values.tobytes()
    assert picture_or_sentence(lambda: decode_image(data, name="x.pfm"))
