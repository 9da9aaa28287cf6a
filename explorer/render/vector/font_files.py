"""The letters of figures: measured from the font files whose outlines go into the figure.

Arimo has the widths of Arial and Helvetica, so a drawing program that replaces it by one of them
moves nothing. It holds Latin, Greek, Cyrillic, Hebrew and the common signs of mathematics; what it
lacks (Chinese class names, say) comes from a font of this computer that has it.
"""

from __future__ import annotations

import logging
import os
import struct
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fontTools import subset
from fontTools.ttLib import TTFont, TTLibError
from fontTools.varLib import instancer

from explorer.core.reading import listed
from explorer.render.typeface import Typeface

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FAMILIES = "Arimo, Arial, Helvetica, 'Liberation Sans', sans-serif"
"""For a drawing that names its fonts: all but the last have the same widths."""

logging.getLogger("fontTools.subset").setLevel(logging.ERROR)  # it names each table it drops

_UNREADABLE = (OSError, TTLibError, struct.error, KeyError, ValueError, AssertionError)
_NONE: frozenset[int] = frozenset()
_RESTRICTED = 0x2  # of OS/2 fsType: the font may not be embedded
_EM_OF_UNKNOWN = 0.6  # the width of a character that no font has


@dataclass(frozen=True, slots=True)
class FontFile:
    """A font in a file: `number` within a collection (-1 = none), `weight` of a variable font."""

    path: Path
    number: int = -1
    weight: int | None = None


@lru_cache(maxsize=2)
def arimo(bold: bool) -> FontFile:
    """The font that everything is written in where it can be."""
    path = Path(str(files("fontpkg_arimo"))) / "files" / "Arimo[wght].ttf"
    return FontFile(path, weight=700 if bold else 400)


class OutlineTypeface(Typeface):
    """Words as a drawing program sets them: the sum of their characters, without kerning."""

    def line_width(self, line: str, size: float, *, bold: bool) -> int:
        return round(size * em_width(line, bold=bold))


OUTLINE_TYPEFACE = OutlineTypeface()


@lru_cache(maxsize=4096)
def em_width(line: str, *, bold: bool) -> float:
    """The width of a line in ems."""
    return sum(
        len(run) * _EM_OF_UNKNOWN if font is None else sum(map(_opened(font).advance, run))
        for font, run in font_runs(line, bold=bold)
    )


def font_runs(line: str, *, bold: bool) -> list[tuple[FontFile | None, str]]:
    """A line cut where its font changes; None stands before characters that no font here has."""
    runs: list[tuple[FontFile | None, str]] = []
    for character in line:
        font = _font_of(character, bold)
        if runs and runs[-1][0] == font:
            runs[-1] = (font, runs[-1][1] + character)
        else:
            runs.append((font, character))
    return runs


_LAYOUT = ("GDEF", "GPOS", "GSUB")


def embedded(font: FontFile, characters: Iterable[str]) -> bytes:
    """A font file that holds nothing but `characters`, at one weight: to go into a document."""
    options = subset.Options(hinting=False, layout_features=[], notdef_outline=True)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(characters))
    buffer = BytesIO()
    with TTFont(font.path, fontNumber=font.number) as face:
        for table in _LAYOUT:  # nothing here kerns or joins, and reading them takes half a second
            if table in face:
                del face[table]
        subsetter.subset(face)
        if font.weight is not None:
            face = instancer.instantiateVariableFont(face, {"wght": font.weight})
        face.save(buffer)
    return buffer.getvalue()


class _Opened:
    """The characters of a font and how far each moves the pen, in ems."""

    def __init__(self, font: FontFile) -> None:
        # From memory: glyphs are read when they are first asked for, and no file stays open.
        face = TTFont(BytesIO(font.path.read_bytes()), fontNumber=font.number)
        self.characters: dict[int, str] = face.getBestCmap() or {}
        self._em = float(face["head"].unitsPerEm)
        location = {} if font.weight is None else {"wght": font.weight}
        self._glyphs: Any = face.getGlyphSet(location=location)

    def advance(self, character: str) -> float:
        return float(self._glyphs[self.characters[ord(character)]].width) / self._em


@lru_cache(maxsize=8)
def _opened(font: FontFile) -> _Opened:
    return _Opened(font)


@lru_cache(maxsize=4096)
def _font_of(character: str, bold: bool) -> FontFile | None:
    base = arimo(bold)
    if ord(character) in _opened(base).characters:
        return base
    return next((font for font in _others() if ord(character) in _covered(font)), None)


@lru_cache(maxsize=1)
def _others() -> tuple[FontFile, ...]:
    """The fonts of this computer, plain upright ones without serifs first."""
    return tuple(sorted(_installed(), key=_plainness))


def _installed() -> Iterator[FontFile]:
    for folder in _folders():
        for path in listed(folder, "**/*"):
            suffix = path.suffix.lower()
            if suffix in (".ttf", ".otf"):
                yield FontFile(path)
            elif suffix == ".ttc":
                yield FontFile(path, number=0)


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", str(home / "AppData" / "Local"))
        windows = os.environ.get("WINDIR", "C:\\Windows")
        return [Path(windows, "Fonts"), Path(local, "Microsoft", "Windows", "Fonts")]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    shared = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts")]
    return [*shared, home / ".local" / "share" / "fonts", home / ".fonts"]


def _plainness(font: FontFile) -> tuple[int, str]:
    name = font.path.stem.lower()
    odd = ("bold", "italic", "oblique", "light", "black", "thin", "mono", "serif", "condensed")
    return sum(word in name for word in odd) - ("sans" in name), name


@lru_cache(maxsize=1024)
def _covered(font: FontFile) -> frozenset[int]:
    """The characters that a font may lend; none where it cannot be read or may not be embedded."""
    try:
        with font.path.open("rb") as file, TTFont(file, fontNumber=font.number, lazy=True) as face:
            outlines = "glyf" in face or "CFF " in face
            restricted = "OS/2" in face and face["OS/2"].fsType & _RESTRICTED
            return frozenset(face.getBestCmap() or ()) if outlines and not restricted else _NONE
    except _UNREADABLE:
        return _NONE
