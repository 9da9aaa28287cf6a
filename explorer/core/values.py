"""What a parameter may hold beside numbers and words: places, masks, and names of other things.

All are immutable and compare by value, as parameters do. Positions are in image pixels, x right,
y down, (0, 0) the photo's upper left corner.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from io import BytesIO
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from explorer.core.colormaps import class_colors

UInt8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Point:
    """A position in image pixels (x right, y down), written by a click or by hovering."""

    x: float
    y: float

    def __post_init__(self) -> None:
        if not (isfinite(self.x) and isfinite(self.y)):
            raise ValueError(f"a point needs finite coordinates, got {self}")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle x0, y0, x1, y1 in image pixels with x0 <= x1 and y0 <= y1, written by a drag.

    Of a ground-truth box, `label` is the class ("" = not known), `difficult` is Pascal VOC's flag:
    whether the object is found does not count (Everingham et al. 2010), and `crowd` is COCO's: a
    region with many objects, which no detection has to match (Lin et al. 2014).
    """

    x0: float
    y0: float
    x1: float
    y1: float
    label: str = ""
    difficult: bool = False
    crowd: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is a single object that is found or missed."""
        return not (self.difficult or self.crowd)

    def __post_init__(self) -> None:
        finite = all(isfinite(side) for side in (self.x0, self.y0, self.x1, self.y1))
        if not (finite and self.x0 <= self.x1 and self.y0 <= self.y1):
            raise ValueError(f"a box needs finite x0 <= x1 and y0 <= y1, got {self}")


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_PIXELS = 1 << 28
_PALETTE = np.concatenate(
    [np.zeros((1, 3), np.uint8), class_colors(256, "standard")[1:]]  # the color of class k at k
).tobytes()


@dataclass(frozen=True, slots=True)
class Mask:
    """What was painted on a photo, kept as an indexed PNG of the photo's own size.

    `png` is an 8-bit palette PNG: index 0 = not painted, k = the k-th of the parameter's labels (1
    where it has none). Two masks are equal when their files are.

    Raises:
        ValueError: When `png` is no such file.
    """

    png: bytes

    def __post_init__(self) -> None:
        head = self.png[:26]
        if len(head) < 26 or head[:8] != _SIGNATURE or head[24:26] != b"\x08\x03":
            raise ValueError("a mask needs an 8-bit indexed PNG")
        if not 0 < self.width * self.height <= _MOST_PIXELS:
            raise ValueError(f"a mask of {self.width} x {self.height} pixels is too large")

    def __repr__(self) -> str:
        return f"Mask({self.width} x {self.height}, {len(self.png)} bytes)"

    @classmethod
    def of(cls, index: UInt8) -> Mask:
        """The mask of an index map, (H, W) uint8."""
        from PIL import Image  # decoding is rare, importing Pillow is not free

        if index.ndim != 2 or index.dtype != np.uint8 or index.size == 0:
            raise ValueError(
                f"a mask needs a non-empty (H, W) uint8, got {index.shape} {index.dtype}"
            )
        picture = Image.fromarray(index, "L").copy()
        picture.putpalette(_PALETTE)
        file = BytesIO()
        picture.save(file, "PNG", compress_level=1, bits=8)
        return cls(file.getvalue())

    @classmethod
    def read(cls, content: bytes) -> Mask:
        """The mask in a file's content: indexed, gray (a value is an index) or black and white.

        Raises:
            ValueError: It is no picture, or one in color.
        """
        if content[:8] == _SIGNATURE and content[24:26] == b"\x08\x03":
            mask = cls(content)
            mask.index()
            return mask
        return cls.of(_decoded(content).copy())

    @property
    def width(self) -> int:
        return int(struct.unpack(">I", self.png[16:20])[0])

    @property
    def height(self) -> int:
        return int(struct.unpack(">I", self.png[20:24])[0])

    def index(self) -> UInt8:
        """(H, W) uint8, read-only: 0 = not painted.

        Raises:
            ValueError: When the file is damaged.
        """
        return _decoded(self.png)


@functools.lru_cache(maxsize=4)
def _decoded(content: bytes) -> UInt8:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(content)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ValueError(
                    f"a mask of {picture.width} x {picture.height} pixels is too large"
                )
            if picture.mode == "1":
                index = np.asarray(picture).astype(np.uint8)
            elif picture.mode in ("P", "L"):
                index = np.asarray(picture)
            elif picture.mode.startswith("I"):
                raise ValueError("its pixels have room for more than 255 classes")
            else:
                raise ValueError("it has colors; a mask is indexed, gray or black and white")
    except (OSError, SyntaxError, struct.error, UnidentifiedImageError) as error:
        raise ValueError("it is not a picture, or damaged") from error
    index.setflags(write=False)
    return index


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Another photo: the path of a file, or the name of one of the program's samples."""

    source: str

    def __post_init__(self) -> None:
        if not self.source:
            raise ValueError("a photo needs a path or the name of a sample")


@dataclass(frozen=True, slots=True)
class NetworkRef:
    """Another network: its name in the catalog and, where not the best available, its weights.

    `weights` as in `NetworkSpec`; it is used on the device and in the precision of the question.
    """

    name: str
    weights: str = ""

    def __post_init__(self) -> None:
        if not self.name or "@" in self.name:
            raise ValueError("a network needs a name from the catalog")


@dataclass(frozen=True, slots=True)
class FolderRef:
    """A folder of photos or of a data set, by its path."""

    path: str

    def __post_init__(self) -> None:
        if not self.path:
            raise ValueError("a folder needs a path")
