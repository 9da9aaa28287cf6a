"""The photos to which channels, neurons, a class or a layer of a network respond most."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Pane, Picture, Points, Text
from explorer.core.reading import display_name
from explorer.engine.scene import Scene
from explorer.engine.stages import activation_of
from explorer.images.image import open_image
from explorer.images.samples import gallery
from explorer.images.sources import expand
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.classification import logits_of
from explorer.vision.features.mosaics import picture_sheet
from explorer.vision.synthesis.objectives import LOGITS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Float32, UInt8
    from explorer.core.values import FolderRef
    from explorer.images.image import Image
    from explorer.networks.network import Network

SHOWN, MOST = 4, 300
"""Photos of each part, and photos of a folder that are run through the network."""
SIDE, GAP = 128, 4
"""Of a thumbnail in pixels, and between two."""
ORANGE = (255, 160, 40)


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """What a network responds to a photo.

    Attributes:
        thumbnail: (SIDE, SIDE, 3) uint8, the photo in the middle of a dark square.
        values: (C,) float32, the largest activation of every channel, or the logits.
        places: (C, 2) float32, x and y of the cell with it, in the thumbnail's pixels; None where
            values have no place.
        energy: The mean square of the whole layer.
    """

    thumbnail: UInt8
    values: Float32
    places: Float32 | None
    energy: float


@dataclass(frozen=True, slots=True, eq=False)
class TopPhotos:
    """The photos with the largest responses so far.

    Attributes:
        rows: For each channel or class its photos, the largest response first; a response with the
            value that counts and its place.
        known: Photos that were run through the network.
        total: Photos that there are.
        source: What they are, in the plural: "samples".
    """

    rows: tuple[tuple[tuple[UInt8, float, tuple[float, float] | None], ...], ...]
    known: int
    total: int
    source: str
    cache: DrawCache = field(default_factory=DrawCache)


class Ranking:
    """Runs photos through a network, one at a time; the network remembers what it responded.

    Args:
        network: The network.
        layer: Any layer, or `LOGITS`.
        numbers: Channels or classes; None = the mean square of the whole layer.
        folder: Of photos; None = the samples.

    Raises:
        ExplorerError: The folder has no photos.
    """

    def __init__(
        self,
        network: Network,
        layer: str,
        numbers: Sequence[int] | None,
        folder: FolderRef | None,
    ) -> None:
        self._network, self._layer = network, layer
        self._numbers = None if numbers is None else tuple(dict.fromkeys(numbers))
        self._waiting, self._source = _photos(folder)
        self.total = len(self._waiting)
        self._memory: dict[object, Response | None] = network.memo(("top photos", layer), dict)
        self._known: list[Response] = []
        self._top: TopPhotos | None = None

    def advance(self) -> None:
        """Takes the next photo, if there is one; those that cannot be read are left out."""
        if not self._waiting:
            return
        key, load = self._waiting.pop(0)
        if key not in self._memory:
            try:
                image = load()
            except ExplorerError:
                self._memory[key] = None
            else:
                self._memory[key] = _response(self._network, image, self._layer)
        found = self._memory[key]
        if found is not None:
            self._known.append(found)
            self._top = None

    def top(self) -> TopPhotos:
        """What is known so far."""
        if self._top is None:
            rows = tuple(self._row(number) for number in self._numbers or (None,))
            self._top = TopPhotos(rows, len(self._known), self.total, self._source)
        return self._top

    def _row(
        self, number: int | None
    ) -> tuple[tuple[UInt8, float, tuple[float, float] | None], ...]:
        found: list[tuple[UInt8, float, tuple[float, float] | None]] = []
        for known in self._known:
            if number is None:
                found.append((known.thumbnail, known.energy, None))
            elif number < len(known.values):
                place = None if known.places is None else known.places[number].tolist()
                found.append((known.thumbnail, float(known.values[number]), place))
        return tuple(sorted(found, key=lambda entry: -entry[1])[:SHOWN])


def pane(top: TopPhotos, titles: Sequence[str]) -> Pane:
    """A row of photos for each of `titles`, a square for one; the same one for the same `top`."""
    return top.cache.get("pane", lambda: _pane(top, titles))


def _pane(top: TopPhotos, titles: Sequence[str]) -> Pane:
    empty = np.full((SIDE, SIDE, 3), 32, np.uint8)
    tiles, words, marks = list[np.ndarray](), list[Text](), list[tuple[float, float]]()
    columns = SHOWN // 2 if len(titles) == 1 else SHOWN
    for title, row in zip(titles, top.rows, strict=True):
        first = len(tiles)
        tiles += [thumbnail for thumbnail, _, _ in row] + [empty] * (SHOWN - len(row))
        for tile, (_, value, place) in enumerate(row, first):
            x, y = (float(step * (SIDE + GAP)) for step in (tile % columns, tile // columns))
            start = f"{title}: " if tile == first and len(titles) > 1 else ""
            words.append(Text(f"{start}{value:.3g}", (x, y), size=9.0, name=f"value {tile}"))
            if place is not None:
                marks.append((x + place[0], y + place[1]))
    sheet, _ = picture_sheet(tiles, columns=columns, gap=GAP)
    height, width = sheet.shape[:2]
    shown = Points(
        np.array(marks, np.float32).reshape(-1, 2),
        np.tile(np.array([ORANGE], np.uint8), (len(marks), 1)), radius=3.0, name="places",
    )  # fmt: skip
    known = f"{top.known} of {top.total}" if top.known < top.total else f"{top.total}"
    return Pane(
        "photos", (float(width), float(height)),
        (Picture(sheet, smooth=True, name="photos"), shown, *words),
        title=f"Top photos of {known} {top.source}", frame="photos",
    )  # fmt: skip


def _photos(
    folder: FolderRef | None,
) -> tuple[list[tuple[object, Callable[[], Image]]], str]:
    """Every photo with what it is known by, and what they are."""
    if folder is None:
        return [(("sample", sample.name), sample.load) for sample in gallery()], "samples"
    place = Path(folder.path)
    found: list[tuple[object, Callable[[], Image]]] = []
    for path in expand([place]):
        if len(found) == MOST:
            break
        found.append(((str(path), _changed(path)), partial(open_image, path)))
    if not found:
        raise ExplorerError("The folder has no photos.", "Choose one with photos, or none.")
    return found, f"in {display_name(place)}"


def _changed(path: Path) -> int:
    """When the file was changed; 0 for one that has gone meanwhile, which cannot be opened."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _response(network: Network, image: Image, layer: str) -> Response:
    scene = Scene(network, image)
    thumbnail, _ = picture_sheet([np.full((SIDE, SIDE, 3), 32, np.uint8), image.pixels], columns=1)
    thumbnail = np.ascontiguousarray(thumbnail[-SIDE:])
    if layer == LOGITS:
        logits = logits_of(scene.output())
        return Response(thumbnail, logits, None, float(np.square(logits).mean()))
    found = activation_of(scene, layer)
    values = np.nan_to_num(found.values.reshape(len(found.values), -1), posinf=0.0, neginf=0.0)
    cells = values.argmax(axis=1)
    largest = np.take_along_axis(values, cells[:, None], axis=1)[:, 0]
    places = None
    if found.frame is not None:
        rows, columns = np.divmod(cells, found.values.shape[2])
        back = found.frame.inverse()
        height, width = image.pixels.shape[:2]
        share = SIDE / max(height, width)
        left, top = (SIDE - width * share) / 2, (SIDE - height * share) / 2
        middles = np.stack([columns, rows, columns, rows], axis=1).astype(np.float32) + 0.5
        places = back.boxes(middles)[:, :2] * share + np.array([left, top], np.float32)
        places = places.clip(0.0, SIDE).astype(np.float32)  # a detector pads beyond the photo
    energy = float(np.square(values, dtype=np.float64).mean())
    return Response(thumbnail, largest, places, energy)
