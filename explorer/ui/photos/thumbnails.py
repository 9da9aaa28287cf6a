"""Thumbnails, made by one plain thread: what was asked for last comes first.

Only what is visible asks (a view's delegate, while painting), so the newest question is the one
the user looks at; questions that scrolled away are forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPixmap

from explorer.core.errors import ExplorerError
from explorer.images.image import thumbnail
from explorer.images.sources import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray

SIZE = 256
"""The longer side in pixels: 96 units on a screen with two pixels each."""
WAITING = 64
KEPT = 1000


def make(item: object, size: int) -> NDArray[np.uint8]:
    """A small (h, w, 3) uint8 of a path or a sample.

    Raises:
        ExplorerError: When it cannot be read.
    """
    if not isinstance(item, Sample):
        return thumbnail(str(item), size)
    small = PIL.Image.fromarray(item.load().pixels)
    small.thumbnail((size, size), PIL.Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.array(small)


@dataclass(frozen=True, slots=True, eq=False)
class Thumb:
    """A finished thumbnail, or why there is none."""

    pixmap: QPixmap | None
    error: str = ""


class Thumbnails(QObject):
    """A cache of thumbnails in front of one worker thread.

    The thread starts with the first question and ends in `close`.

    Signals:
        ready: The key of a thumbnail that can be had now.
    """

    ready = Signal(object)
    _news = Signal()

    def __init__(
        self,
        parent: QObject | None = None,
        maker: Callable[[object, int], NDArray[np.uint8]] = make,
    ) -> None:
        super().__init__(parent)
        self._maker = maker
        self._cache: OrderedDict[Hashable, Thumb] = OrderedDict()
        self._condition = threading.Condition()
        self._waiting: OrderedDict[Hashable, object] = OrderedDict()
        self._made: list[tuple[Hashable, NDArray[np.uint8] | None, str]] = []
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._news.connect(self._collect, Qt.ConnectionType.QueuedConnection)
        app = QCoreApplication.instance()
        if app is not None:  # a window that forgot `close` must not leave the thread behind
            app.aboutToQuit.connect(self.close)

    def get(self, key: Hashable, item: object) -> Thumb | None:
        """The thumbnail of `item`; None while it is being made (`ready` follows)."""
        thumb = self._cache.get(key)
        if thumb is not None:
            self._cache.move_to_end(key)
            return thumb
        with self._condition:
            if self._stopping:
                return None
            self._waiting.pop(key, None)
            self._waiting[key] = item
            while len(self._waiting) > WAITING:
                self._waiting.popitem(last=False)
            self._condition.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="thumbnails", daemon=False)
            self._thread.start()
        return None

    def peek(self, key: Hashable) -> Thumb | None:
        """The thumbnail when it is there; asks for nothing."""
        return self._cache.get(key)

    def forget(self, key: Hashable) -> None:
        self._cache.pop(key, None)
        with self._condition:
            self._waiting.pop(key, None)

    @property
    def waiting(self) -> int:
        with self._condition:
            return len(self._waiting)

    @Slot()
    def close(self) -> None:
        """Ends and joins the thread; the picture it is at is finished first."""
        with self._condition:
            self._stopping = True
            self._waiting.clear()
            self._condition.notify()
        if self._thread is not None:
            self._thread.join(3.0)
            self._thread = None

    def _loop(self) -> None:
        while True:
            with self._condition:
                while not (self._stopping or self._waiting):
                    self._condition.wait()
                if self._stopping:
                    return
                key, item = self._waiting.popitem(last=True)
            pixels, error = None, ""
            try:
                pixels = self._maker(item, SIZE)
            except ExplorerError as problem:
                error = f"{problem.message} {problem.hint}".strip()
            with self._condition:
                first = not self._made
                self._made.append((key, pixels, error))
            if first:
                self._news.emit()

    @Slot()
    def _collect(self) -> None:
        with self._condition:
            made, self._made = self._made, []
        for key, pixels, error in made:
            self._cache[key] = Thumb(None if pixels is None else pixmap_of(pixels), error)
            while len(self._cache) > KEPT:
                self._cache.popitem(last=False)
            self.ready.emit(key)


def pixmap_of(pixels: NDArray[np.uint8]) -> QPixmap:
    """(h, w, 3) uint8 as a pixmap that owns its pixels."""
    height, width = pixels.shape[:2]
    solid = np.ascontiguousarray(pixels)
    image = QImage(solid.data, width, height, width * 3, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.copy())
