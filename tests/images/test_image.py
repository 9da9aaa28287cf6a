"""The one door for stills: every kind of file comes out as the same upright RGB."""

from __future__ import annotations

import contextlib
import io
import os
import random
import socket
import stat
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from explorer.core.errors import ExplorerError
from explorer.images import decoding, frame_count, image
from explorer.images.image import (
    BACKGROUND,
    Image,
    decode_image,
    from_array,
    open_image,
    thumbnail,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def corners() -> PIL.Image.Image:
    """6 x 4 with four different corners, so that every turn shows."""
    picture = PIL.Image.new("RGB", (6, 4), (90, 90, 90))
    for place, color in zip(
        [(0, 0), (5, 0), (0, 3), (5, 3)], [RED, GREEN, BLUE, WHITE], strict=True
    ):
        picture.putpixel(place, color)
    return picture


def noise(width: int = 64, height: int = 48) -> PIL.Image.Image:
    values = np.random.default_rng(5).integers(1, 256, (height, width, 3), np.uint8)
    return PIL.Image.fromarray(values)


def encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(picture: PIL.Image.Image, kind: str, **options: Any) -> Image:
    return decode_image(encoded(picture, kind, **options), name=f"test.{kind.lower()}")


def at(picture: Image, x: int, y: int) -> tuple[int, ...]:
    return tuple(int(v) for v in picture.pixels[y, x])


def refused(data: bytes, name: str = "test") -> ExplorerError:
    with pytest.raises(ExplorerError) as caught:
        decode_image(data, name=name)
    error = caught.value
    assert error.message.endswith(".")
    assert error.hint.endswith(".")
    assert name in error.message
    return error


# What comes out


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP", "PPM", "TGA", "PCX", "QOI", "SGI"])
def test_exact_formats_give_the_very_pixels(kind: str) -> None:
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    found = decoded(noise(), kind, **options)
    assert np.array_equal(found.pixels, np.asarray(noise()))
    assert (found.width, found.height) == (64, 48)
    assert found.notes == ()
    assert (found.frames, found.frame, found.path) == (1, 0, None)


def test_lossy_formats_come_close() -> None:
    gray = PIL.Image.new("RGB", (40, 30), (120, 60, 200))
    kinds = ["JPEG", "JPEG2000", *(["AVIF"] if "AVIF" in PIL.Image.OPEN else [])]
    for kind in kinds:
        found = decoded(gray, kind)
        assert found.pixels.shape == (30, 40, 3)
        assert np.abs(found.pixels.astype(int) - (120, 60, 200)).max() <= 4, kind


def test_heic_with_its_plugin() -> None:
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(PIL.Image.new("RGB", (64, 64), (120, 60, 200))).save(buffer)
    found = decode_image(buffer.getvalue(), name="x.heic")
    assert np.abs(found.pixels.astype(int) - (120, 60, 200)).max() <= 6


def test_pixels_are_frozen_and_contiguous() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    for found in (decoded(noise(), "PNG"), decoded(noise(), "JPEG", exif=exif)):
        assert found.pixels.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            found.pixels[0, 0] = 0


def test_key_is_of_shape_and_pixels() -> None:
    plain = np.zeros((4, 6, 3), np.uint8)
    assert from_array(plain, "a").key == from_array(plain.copy(), "b").key
    assert from_array(plain, "a").key != from_array(plain.reshape(6, 4, 3), "a").key
    assert from_array(plain, "a").key != from_array(plain + np.uint8(1), "a").key
    assert decoded(noise(), "PNG").key == decoded(noise(), "BMP").key


def test_image_refuses_other_arrays() -> None:
    frozen = np.zeros((4, 6), np.uint8)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match=r"\(4, 6\)"):
        Image(frozen, "x", None, (), 1, 0, "")
    with pytest.raises(ValueError, match="read-only"):
        Image(np.zeros((4, 6, 3), np.uint8), "x", None, (), 1, 0, "")


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "TIFF-LZW"])
def test_orientation_is_undone_once(kind: str, orientation: int) -> None:
    # The picture as a camera held that way would have stored it.
    turns = PIL.Image.Transpose
    inverse = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_90,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_270,
    }
    big = corners().resize((96, 64), PIL.Image.Resampling.NEAREST)
    stored = big.transpose(inverse[orientation]) if orientation > 1 else big
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    special: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 95},
        "WEBP": {"lossless": True},
        "TIFF-LZW": {"compression": "tiff_lzw"},
    }
    options = special.get(kind, {})
    found = decoded(stored, kind.split("-")[0], exif=exif, **options)
    assert np.abs(found.pixels.astype(int) - np.asarray(big)).mean() < 3
    said = [note for note in found.notes if "upright" in note]
    assert said == (
        [] if orientation == 1 else [f"Rotated upright (EXIF orientation {orientation})."]
    )


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_senseless_orientation_is_ignored(value: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = value
    assert decoded(noise(), "PNG", exif=exif).notes == ()


def test_broken_exif_does_not_cost_the_picture() -> None:
    found = decoded(noise(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff\xff\xff")
    assert found.width == 64


# Colors


def test_gray_and_one_bit() -> None:
    ramp = PIL.Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    assert np.array_equal(decoded(ramp, "PNG").pixels[..., 1], np.asarray(ramp))
    bits = ramp.point(lambda v: 255 if v > 100 else 0).convert("1")
    for kind in ("PNG", "TIFF", "PPM"):
        assert set(np.unique(decoded(bits, kind).pixels)) == {0, 255}


def test_alpha_is_composited_on_the_stated_background() -> None:
    picture = PIL.Image.new("RGBA", (3, 1))
    for x, alpha in enumerate((0, 128, 255)):
        picture.putpixel((x, 0), (200, 100, 0, alpha))
    found = decoded(picture, "PNG")
    assert at(found, 0, 0) == BACKGROUND == WHITE
    assert at(found, 1, 0) == tuple(round((v * 128 + 255 * 127) / 255) for v in (200, 100, 0))
    assert at(found, 2, 0) == (200, 100, 0)
    assert found.notes == ("Transparent areas are shown on white.",)
    picture.putalpha(255)
    assert decoded(picture, "PNG").notes == ()


def test_gray_with_alpha() -> None:
    picture = PIL.Image.new("LA", (2, 1), (40, 255))
    picture.putpixel((0, 0), (40, 0))
    found = decoded(picture, "PNG")
    assert (at(found, 0, 0), at(found, 1, 0)) == (WHITE, (40, 40, 40))


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"])
def test_palette_with_transparency(transparency: int | bytes) -> None:
    picture = PIL.Image.new("P", (2, 1))
    picture.putpalette([*RED, *BLUE])
    picture.putpixel((1, 0), 1)
    found = decoded(picture, "PNG", transparency=transparency)
    assert (at(found, 0, 0), at(found, 1, 0)) == (WHITE, BLUE)


def test_color_key() -> None:
    rgb = decoded(corners(), "PNG", transparency=(255, 0, 0))
    assert (at(rgb, 0, 0), at(rgb, 5, 0)) == (WHITE, GREEN)
    gray = PIL.Image.fromarray(np.array([[0, 7, 65535]], np.uint16))
    found = decoded(gray, "PNG", transparency=7)
    assert [at(found, x, 0)[0] for x in range(3)] == [0, 255, 255]
    assert "white" in found.notes[-1]


def test_cmyk() -> None:
    ink = PIL.Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert at(decoded(ink, "TIFF"), 3, 3) == RED
    assert np.abs(np.subtract(at(decoded(ink, "JPEG", quality=95), 3, 3), RED)).max() <= 4


def test_lab_and_ycbcr() -> None:
    gray = PIL.Image.new("LAB", (4, 4), (255, 128, 128))
    assert min(at(decoded(gray, "TIFF"), 0, 0)) >= 253
    luma = PIL.Image.new("YCbCr", (16, 16), (76, 85, 255))
    found = decode_image(encoded(luma, "TIFF"), name="y")
    assert np.abs(np.subtract(at(found, 2, 2), RED)).max() <= 3


def swapped_profile() -> bytes:
    """A color profile with red and blue exchanged: nobody can overlook whether it was applied."""
    raw = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(raw[128:132], "big")
    tags = {bytes(raw[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    for red, blue in ((b"rXYZ", b"bXYZ"),):
        i, j = tags[red], tags[blue]
        raw[i + 4 : i + 12], raw[j + 4 : j + 12] = raw[j + 4 : j + 12], raw[i + 4 : i + 12]
    return bytes(raw).replace(b"sRGB", b"BGRs").replace("sRGB".encode("utf-16-be"), b"\0B\0G\0R\0s")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_profile_is_converted(mode: str) -> None:
    picture = PIL.Image.new("RGB", (4, 4), RED).convert(mode)
    found = decoded(picture, "PNG", icc_profile=swapped_profile())
    assert np.abs(np.subtract(at(found, 0, 0), BLUE)).max() <= 3
    assert "to sRGB" in found.notes[0]


def test_srgb_profile_costs_nothing_and_a_broken_one_is_said() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decoded(noise(), "PNG", icc_profile=srgb).notes == ()
    broken = decoded(noise(), "PNG", icc_profile=srgb[:200])
    assert np.array_equal(broken.pixels, np.asarray(noise()))
    assert broken.notes == ("Its color profile does not match and was ignored.",)
    huge = decoded(noise(), "TIFF", icc_profile=srgb + bytes(5_000_000))
    assert huge.notes == ("Its color profile is too large and was ignored.",)


# Wide numbers


WIDE = np.array([[0, 128, 129, 257, 32768, 65407, 65535]], np.uint16)
WIDE_AS_8 = [0, 0, 1, 1, 128, 255, 255]  # round(v * 255 / 65535)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_gray_is_scaled_not_clipped(kind: str) -> None:
    found = decoded(PIL.Image.fromarray(WIDE), kind)
    assert found.pixels[0, :, 0].tolist() == WIDE_AS_8
    assert found.notes == ("16-bit values were scaled to 8 bits.",)


@pytest.mark.parametrize(("largest", "bits"), [(4095, 12), (1023, 10), (255, 8), (0, 8)])
def test_fewer_bits_in_16(largest: int, bits: int) -> None:
    values = np.array([[0, largest // 2, largest]], np.uint16)
    found = decoded(PIL.Image.fromarray(values), "TIFF")
    assert found.pixels[0, :, 0].tolist() == ([0, 127, 255] if largest else [0, 0, 0])
    assert found.notes == (f"16-bit values were scaled to 8 bits, taken as {bits} bits.",)
    above = PIL.Image.fromarray(np.array([[0, 4096]], np.uint16))
    assert decoded(above, "TIFF").pixels[0, 1, 0] == 16


def test_16_bit_big_endian_tiff() -> None:
    picture = PIL.Image.frombytes("I;16B", (7, 1), WIDE.astype(">u2").tobytes())
    found = decoded(picture, "TIFF")
    assert found.pixels[0, :, 2].tolist() == WIDE_AS_8


def png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + name + body + check

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, kind, 0, 0, 0])
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


def test_16_bit_color_says_so() -> None:
    row = np.array([0, 65535, 32768], ">u2").tobytes()
    found = decode_image(png(1, 1, 16, 2, b"\0" + row), name="x")
    assert at(found, 0, 0) == (0, 255, 128)
    assert found.notes == ("16-bit values were scaled to 8 bits.",)


def test_float_tiff() -> None:
    unit = PIL.Image.fromarray(np.array([[0, 0.5, 1]], np.float32))
    assert decoded(unit, "TIFF").pixels[0, :, 0].tolist() == [0, 128, 255]
    wide = PIL.Image.fromarray(np.array([[-10, 0, 10, np.nan, np.inf]], np.float32))
    found = decoded(wide, "TIFF")
    assert found.pixels[0, :, 0].tolist() == [0, 128, 255, 0, 0]
    assert "-10 to 10" in found.notes[0]
    assert "2 values" in found.notes[0]
    nothing = PIL.Image.fromarray(np.full((2, 2), np.nan, np.float32))
    assert "no finite value" in refused(encoded(nothing, "TIFF")).message


def test_32_bit_integers() -> None:
    like_16 = PIL.Image.fromarray(np.array([[0, 65535]], np.int32))
    assert decoded(like_16, "TIFF").pixels[0, :, 0].tolist() == [0, 255]
    wide = PIL.Image.fromarray(np.array([[-100_000, 0, 100_000]], np.int32))
    assert decoded(wide, "TIFF").pixels[0, :, 0].tolist() == [0, 128, 255]


# Arrays


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[7, 200]], np.uint8), [7, 200]),
        (np.array([[False, True]]), [0, 255]),
        (np.array([[0, 65535]], np.uint16), [0, 255]),
        (np.array([[0, 255]], np.int64), [0, 255]),
        (np.array([[0, 1000]], np.int64), [0, 255]),
        (np.array([[0.0, 0.25, 1.0]]), [0, 64, 255]),
        (np.array([[0.0, 1.0]], np.float16), [0, 255]),
        (np.array([[-1e308, 1e308]]), [0, 255]),
        (np.array([[5.0, 5.0]]), [0, 0]),
        (np.array([[0, 2**64 - 1]], np.uint64), [0, 255]),
    ],
)
def test_from_array_rules(array: NDArray[Any], expected: list[int]) -> None:
    found = from_array(array, "numbers")
    assert found.pixels[0, :, 0].tolist() == expected
    assert np.array_equal(found.pixels[..., 0], found.pixels[..., 2])


def test_from_array_channels() -> None:
    rgb = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert np.array_equal(from_array(rgb, "x").pixels, rgb)
    assert np.array_equal(from_array(rgb[:, ::-1], "x").pixels, rgb[:, ::-1])
    rgba = np.dstack([rgb, np.array([[0, 255, 255, 255]] * 2, np.uint8)])
    found = from_array(rgba, "x")
    assert at(found, 0, 0) == WHITE
    assert at(found, 1, 1) == tuple(rgb[1, 1])
    assert found.notes == ("Transparent areas are shown on white.",)
    gray = np.array([[[0.5, 1.0], [0.5, 0.0]]])
    assert [at(from_array(gray, "x"), i, 0) for i in (0, 1)] == [(128,) * 3, WHITE]
    assert from_array(rgb[:, :, :1], "x").pixels.shape == (2, 4, 3)


def test_from_array_copies() -> None:
    mine = np.zeros((2, 2, 3), np.uint8)
    found = from_array(mine, "x")
    mine[:] = 9
    assert not found.pixels.any()
    assert mine.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(5),
        np.zeros((2, 2, 5)),
        np.zeros((0, 4, 3)),
        np.zeros((2, 2, 2, 2)),
        np.zeros((2, 2), complex),
        np.array([["a", "b"]]),
        np.array([[[0.5, 2.0]]]),
    ],
)
def test_from_array_refuses_what_is_no_image(array: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"image array|alpha"):
        from_array(array, "x")


# Frames


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames(kind: str) -> None:
    colors = [RED, GREEN, BLUE]
    pages = [PIL.Image.new("RGB", (8, 8), color) for color in colors]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(pages[0], kind, save_all=True, append_images=pages[1:], **options)
    for frame, color in enumerate(colors):
        found = decode_image(data, name="film", frame=frame)
        assert at(found, 4, 4) == color
        assert (found.frame, found.frames) == (frame, 3)
        assert found.notes == (f"Frame {frame + 1} of 3.",)
    for frame in (3, 10**9, -1):
        with pytest.raises(ExplorerError, match="no frame"):
            decode_image(data, name="film", frame=frame)


def test_page_list_that_bites_its_tail_ends() -> None:
    pages = [PIL.Image.new("L", (8, 8), v) for v in (10, 20, 30)]
    data = bytearray(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", data, 4)
    link, page = 4, first
    while page:  # to the link that ends the chain
        (entries,) = struct.unpack_from(order + "H", data, page)
        link = page + 2 + 12 * entries
        (page,) = struct.unpack_from(order + "I", data, link)
    struct.pack_into(order + "I", data, link, first)
    assert decode_image(bytes(data), name="loop").frames == 3


def test_frame_count_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    empty_frame = b"\x2c" + bytes(4) + b"\x01\x00\x01\x00\x00" + b"\x02\x02\x4c\x01\x00"
    one = encoded(PIL.Image.new("P", (1, 1)), "GIF")
    data = one[:-1] + empty_frame * 50_000 + b"\x3b"
    found = decode_image(data, name="endless.gif")
    assert found.frames == frame_count.MAX_FRAMES
    assert found.notes[-1] == "Frame 1 of 10000 or more."
    monkeypatch.setattr(decoding, "_SEEK_PIXELS", 100)
    assert decode_image(data, name="endless.gif", frame=99).frame == 99
    with pytest.raises(ExplorerError, match="too far"):
        decode_image(data, name="endless.gif", frame=101)


# Damaged and hostile


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 90}),
        ("JPEG", {"quality": 90, "progressive": True}),
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("PPM", {}),
    ],
)
def test_truncated_files_show_their_part(kind: str, options: dict[str, Any]) -> None:
    whole = encoded(noise(64, 200), kind, **options)
    found = decode_image(whole[: len(whole) // 2], name="half")
    assert found.pixels.shape == (200, 64, 3)
    assert found.notes[0].startswith("Damaged:")
    if not options.get("progressive"):
        pixels = found.pixels[::-1] if kind == "BMP" else found.pixels
        assert pixels[:40].any()
        assert not pixels[150:].any()
        assert ("lower" if kind == "BMP" else "upper") in found.notes[0]
        share = int(found.notes[0].split("%")[0].split()[-1])
        assert 35 <= share <= 60


def test_truncated_and_turned() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "TIFF"):
        whole = encoded(noise(64, 200), kind, exif=exif)
        if kind == "TIFF":  # its directory comes first, its pixels last
            assert whole.index(b"II*") == 0
        found = decode_image(whole[: len(whole) // 2], name="half")
        assert found.pixels.shape == (64, 200, 3)


def test_nothing_decoded_is_refused() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        whole = encoded(noise(), kind)
        for size in (1, 8, 20, 40):
            refused(whole[:size])


def test_empty_and_foreign_files() -> None:
    assert "empty" in refused(b"").message
    assert "not a picture" in refused(b"hello, world").message
    for data, words in [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "PostScript"),
        (b"%PDF-1.4", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\x76\x2f\x31\x01", "OpenEXR"),
        (b"\0\0\0\x18ftypisom", "video"),
    ]:
        assert words in refused(data).message


def test_content_counts_not_the_name(tmp_path: Path) -> None:
    wrong = tmp_path / "photo.jpg"
    wrong.write_bytes(encoded(noise(), "PNG"))
    found = open_image(wrong)
    assert np.array_equal(found.pixels, np.asarray(noise()))
    assert (found.name, found.path) == ("photo.jpg", wrong)


def test_any_bytes_look_like_tga_so_only_its_suffix_opens_it() -> None:
    data = encoded(noise(), "TGA")
    assert decode_image(data, name="x.tga").width == 64
    assert "x.bin" in refused(data, "x.bin").message


def test_bombs_are_refused_by_what_they_declare() -> None:
    error = refused(png(60_000, 60_000, 8, 2, b""))
    assert "64 megapixels" in error.message
    small = encoded(noise(2000, 600), "PNG")  # 1.2 megapixels
    with pytest.raises(ExplorerError, match=r"1\.2 megapixels; at most 1 "):
        decode_image(small, name="x", max_megapixels=1)
    assert decode_image(small, name="x", max_megapixels=1.2).width == 2000
    before = PIL.Image.MAX_IMAGE_PIXELS
    decode_image(small, name="x", max_megapixels=500)
    assert before == PIL.Image.MAX_IMAGE_PIXELS


def test_slow_formats_have_a_lower_limit() -> None:
    big = (3000).to_bytes(4, "big")
    assert "too long" in refused(b"qoif" + big * 2 + b"\x03\x00").message
    assert "too long" in refused(b"P3 3000 3000 255\n1 2 3").message


def test_progressive_jpeg_with_endless_scans() -> None:
    whole = encoded(PIL.Image.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    last = whole[whole.rfind(b"\xff\xda") : -2]
    assert "scans" in refused(whole[:-2] + last * 300 + whole[-2:]).message
    assert decode_image(whole, name="x").width == 4000


def test_text_chunk_that_inflates() -> None:
    body = b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9)
    check = zlib.crc32(b"zTXt" + body).to_bytes(4, "big")
    chunk = len(body).to_bytes(4, "big") + b"zTXt" + body + check
    plain = png(1, 1, 8, 0, b"\0\7")
    refused(plain[:33] + chunk + plain[33:])


def test_threads_share_the_door() -> None:
    photos = [encoded(noise(64 + i, 48), "PNG") for i in range(8)]
    before = PIL.Image.MAX_IMAGE_PIXELS

    def size(i: int) -> int:
        limit = 0.003 if i % 3 == 0 else 64  # every third is over its own limit
        try:
            return decode_image(photos[i % 8], name="x", max_megapixels=limit).width
        except ExplorerError:
            return -1

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(size, range(120)))
    assert found == [-1 if i % 3 == 0 else 64 + i % 8 for i in range(120)]
    assert before == PIL.Image.MAX_IMAGE_PIXELS


# Files


def failed(path: Path) -> ExplorerError:
    with pytest.raises(ExplorerError) as caught:
        open_image(path)
    assert caught.value.hint
    return caught.value


def test_things_that_are_no_ordinary_file(tmp_path: Path) -> None:
    assert "does not exist" in failed(tmp_path / "gone.png").message
    assert "is a folder" in failed(tmp_path).message
    assert "device" in failed(Path(os.devnull)).message
    assert failed(Path("nul\0character.png")).message
    assert failed(tmp_path / ("x" * 300 + ".png")).message
    (tmp_path / "empty.png").touch()
    assert "is empty" in failed(tmp_path / "empty.png").message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_sockets_do_not_block(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    assert "a pipe" in failed(pipe).message
    (tmp_path / "link.png").symlink_to(pipe)
    assert "a pipe" in failed(tmp_path / "link.png").message
    with socket.socket(socket.AF_UNIX) as server:
        where = os.path.relpath(tmp_path / "s.png")  # the address of a socket is short
        if len(where) < 100:
            server.bind(where)
            assert "a socket" in failed(tmp_path / "s.png").message
    assert "permission" not in failed(pipe).message


def test_no_permission(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded(noise(), "PNG"))
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("this user may read everything")
    assert "permission denied" in failed(secret).message


def test_system_errors_in_the_systems_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(encoded(noise(), "PNG"))
    for code, words in [(13, "permission denied"), (5, os.strerror(5)), (116, os.strerror(116))]:

        def fail(*_: object, code: int = code) -> int:
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", fail)
            error = failed(photo)
        assert words in error.message


def test_file_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(encoded(noise(), "PNG"))
    monkeypatch.setattr(image, "MAX_BYTES", 1000)
    assert "MB" in failed(photo).message
    with pytest.raises(ExplorerError, match="MB"):
        decode_image(photo.read_bytes(), name="x")
    grown = os.stat_result((stat.S_IFREG | 0o644, *[0] * 9))  # it says 0 bytes and gives more
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", lambda _: grown)
        assert "MB" in failed(photo).message


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_not_text(tmp_path: Path) -> None:
    photo = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    photo.write_bytes(encoded(noise(), "PNG"))
    found = open_image(photo)
    assert found.name == "caf\N{REPLACEMENT CHARACTER}.png"
    found.name.encode()


# Thumbnails


def test_thumbnails(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    big = corners().resize((1500, 1000), PIL.Image.Resampling.NEAREST)
    for kind in ("JPEG", "PNG"):
        photo = tmp_path / f"photo.{kind}"
        big.save(photo, kind, exif=exif)
        small = thumbnail(photo, 96)
        assert small.shape == (96, 64, 3)
        assert small.dtype == np.uint8
        # Turned a quarter to the right, the lower left corner is the upper left one.
        assert np.abs(small[2, 2].astype(int) - BLUE).max() < 12
        assert np.abs(small[2, -3].astype(int) - RED).max() < 12
    noise(20, 10).save(tmp_path / "tiny.png")
    assert np.array_equal(thumbnail(tmp_path / "tiny.png", 96), np.asarray(noise(20, 10)))
    PIL.Image.new("L", (5000, 1)).save(tmp_path / "line.png")
    assert thumbnail(tmp_path / "line.png", 64).shape == (1, 64, 3)
    with pytest.raises(ExplorerError):
        thumbnail(tmp_path, 96)
    with pytest.raises(ValueError, match="one pixel"):
        thumbnail(tmp_path / "tiny.png", 0)


def test_odd_tags_of_a_tiff_are_not_told_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(file, "TIFF", compression="tiff_lzw")
    for seed in range(60):
        chance = random.Random(seed)
        data = bytearray(file.getvalue())
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with contextlib.suppress(ExplorerError):
            decode_image(bytes(data), name="odd.tif")
    assert capfd.readouterr() == ("", "")
