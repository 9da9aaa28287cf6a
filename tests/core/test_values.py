"""Masks as indexed PNG files, and what places and references refuse."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from explorer.core.values import Box, FolderRef, ImageRef, Mask, NetworkRef, Point


def index() -> np.ndarray:
    painted = np.zeros((5, 7), np.uint8)
    painted[1:3, 2:6] = 2
    painted[4, 6] = 255
    return painted


def saved(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def test_a_mask_is_an_indexed_png_of_the_photos_size() -> None:
    mask = Mask.of(index())
    assert (mask.width, mask.height) == (7, 5)
    with Image.open(BytesIO(mask.png)) as picture:
        assert (picture.mode, picture.size) == ("P", (7, 5))
    np.testing.assert_array_equal(mask.index(), index())
    assert not mask.index().flags.writeable
    assert mask == Mask.of(index())
    assert mask != Mask.of(np.zeros((5, 7), np.uint8))
    assert repr(mask).startswith("Mask(7 x 5")


def test_gray_and_black_and_white_pictures_are_masks_too() -> None:
    gray = Image.fromarray(index())
    np.testing.assert_array_equal(Mask.read(saved(gray)).index(), index())
    np.testing.assert_array_equal(Mask.read(saved(gray, "TIFF")).index(), index())
    black = Image.fromarray(index() > 0)
    np.testing.assert_array_equal(Mask.read(saved(black)).index(), index() > 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a picture"),
        (b"no picture at all", "not a picture"),
        (saved(Image.new("RGB", (4, 4))), "colors"),
        (Mask.of(index()).png[:60], "not a picture"),
    ],
)
def test_what_is_no_mask_is_said(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Mask.read(content)


def test_a_claim_of_endless_pixels_is_refused_before_anything_is_decoded() -> None:
    png = bytearray(Mask.of(index()).png)
    png[16:24] = b"\x00\x10\x00\x00\x00\x10\x00\x00"
    with pytest.raises(ValueError, match="too large"):
        Mask(bytes(png))


@pytest.mark.parametrize(
    "array", [np.zeros((0, 3), np.uint8), np.zeros((2, 2), int), np.zeros(4, np.uint8)]
)
def test_a_mask_of_something_else_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\(H, W\) uint8"):
        Mask.of(array)


def test_places_and_references_refuse_nonsense() -> None:
    for make in (
        lambda: Point(float("nan"), 0), lambda: Box(2, 0, 1, 1), lambda: ImageRef(""),
        lambda: NetworkRef(""), lambda: NetworkRef("a@b"), lambda: FolderRef(""),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="needs"):
            make()
