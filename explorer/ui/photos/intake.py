"""Photos in: dialogs, drops, the clipboard and web addresses become items of the filmstrip.

Everything slow (a folder of 100 000 files, a large photo, an address) happens on a worker.
Pictures without a file (pasted, dragged out of a browser, fetched) are kept in a folder of the
program, so that the strip and the session treat them like any other photo.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QObject, Signal
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter
from PySide6.QtWidgets import QFileDialog, QWidget

from explorer.core import settings
from explorer.core.runner import State, Token, Update
from explorer.core.step import Step
from explorer.images import sources
from explorer.images.image import SUFFIXES, Image, decode_image, open_image
from explorer.live.opening import is_film
from explorer.ui.dialogs.notice import Notice, Notices

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from explorer.ui.shell.bridge import Bridge

log = logging.getLogger(__name__)

OPEN, EXPAND, KEEP, FETCH = "open", "expand", "keep", "fetch"
MOST_KEPT = 60


def kept_folder() -> Path:
    """Where pictures without a file of their own are kept."""
    return settings.config_folder() / "pictures"


class Intake(QObject):
    """Takes photos in; the window lines them up and shows them.

    Signals:
        found: ``(items, beside)``: photos for the strip; `beside` = to compare with the present.
        opened: ``(item, Image)``.
        failed: ``(item, Failure)``: this photo cannot be shown.
        opening: An item is being read.
        film: The path of a video file: it is to be played.
    """

    found = Signal(object, bool)
    opened = Signal(object, object)
    failed = Signal(object, object)
    opening = Signal(object)
    film = Signal(str)

    def __init__(self, window: QWidget, bridge: Bridge, notices: Notices) -> None:
        super().__init__(window)
        self._window, self._bridge, self._notices = window, bridge, notices
        self._beside = False
        self._item: object = None
        self._folder = ""
        bridge.updated.connect(self._on_update)

    # -- ways in ----------------------------------------------------------------------------------

    def open_dialog(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
        kinds = f"{self.tr('Pictures')} ({patterns});;{self.tr('All files')} (*)"
        paths, _ = QFileDialog.getOpenFileNames(
            self._window, self.tr("Open photos"), self._folder, kinds
        )
        if paths:
            self._folder = str(Path(paths[0]).parent)
            self.open_paths(paths)

    def open_folder_dialog(self) -> None:
        path = QFileDialog.getExistingDirectory(
            self._window, self.tr("Open a folder"), self._folder
        )
        if path:
            self._folder = path
            self.open_paths([path])

    def open_paths(self, paths: Sequence[str | Path], *, beside: bool = False) -> None:
        """Files and folders; folders are read on the worker. A film is played."""
        self._beside = beside
        films = [str(path) for path in paths if is_film(path)]
        asked = [str(path) for path in paths if str(path) not in films]
        if films:
            self.film.emit(films[0])
        if not asked:
            return

        def job() -> Generator[Step[Any], Any, None]:
            found = tuple(sources.expand(asked))
            # A folder of nothing but folders: what is meant is what lies below.
            yield Step(found or tuple(sources.expand(asked, recursive=True)))

        self._bridge.fetch(EXPAND, lambda _: job())

    def paste(self) -> None:
        mime = QGuiApplication.clipboard().mimeData()
        if mime is None or not self.accepts(mime):
            self._notices.say(self.tr("There is no picture in the clipboard."))
            return
        self.take(mime)

    @staticmethod
    def accepts(mime: QMimeData) -> bool:
        return mime.hasImage() or mime.hasUrls() or bool(_typed_address(mime))

    def take(self, mime: QMimeData, *, beside: bool = False) -> None:
        """A drop or a paste: local files, else image data, else an address after a question."""
        found = sources.dropped_urls([url.toString() for url in mime.urls()])
        if found.paths:
            self.open_paths(found.paths, beside=beside)
        elif mime.hasImage():
            self._keep(mime.imageData(), beside)
        elif found.addresses or _typed_address(mime):
            self.ask_address((*found.addresses, _typed_address(mime))[0], beside=beside)
        else:
            words = found.refused[0] if found.refused else self.tr("This cannot be opened.")
            self._notices.say(words, "warning")

    def ask_address(self, address: str, *, beside: bool = False) -> None:
        """Fetches nothing before the user has said yes."""

        def yes() -> None:
            self.fetch(address, beside=beside)

        shown = address if len(address) <= 90 else f"{address[:60]}…{address[-24:]}"
        self._notices.show_notice(
            Notice(
                self.tr("Fetch this picture from the web? {address}").format(address=shown),
                "info",
                "",
                ((self.tr("Fetch"), yes), (self.tr("No"), _nothing)),
            )
        )

    def fetch(self, address: str, *, beside: bool = False) -> None:
        """Downloads a picture that the user has asked for."""
        self._beside = beside
        self._bridge.download(FETCH, lambda token: _fetched(address, token))

    def show(self, item: object, frame: int = 0) -> None:
        """Reads `item` (a path or a sample); `opened` or `failed` follows."""
        self._item = item

        def job() -> Generator[Step[Any], Any, None]:
            yield Step((item, read(item, frame)))

        self._bridge.fetch(OPEN, lambda _: job())
        self.opening.emit(item)

    # -- what comes back --------------------------------------------------------------------------

    def _on_update(self, update: Update) -> None:
        if update.key not in (OPEN, EXPAND, KEEP, FETCH):
            return
        if update.state is State.FAILED and update.failure is not None:
            if update.key == OPEN:
                self.failed.emit(self._item, update.failure)
            else:
                failure = update.failure
                words = f"{failure.message} {failure.hint}".strip()
                details = "" if failure.expected else failure.traceback
                self._notices.say(words, "error", details=details, seconds=12)
        elif update.state is State.RUNNING and update.key == FETCH and update.note:
            words = self.tr("Fetching a picture from {host} …").format(host=update.note)
            self._notices.progress(words, self._stop_fetch)
        elif update.state is State.DONE and update.value is not None:
            if update.key == OPEN:
                self.opened.emit(*update.value)
            elif update.value:
                self.found.emit(update.value, self._beside)
            else:
                self._notices.say(self.tr("There are no pictures in there."), "warning")
        if update.key == FETCH and update.state is not State.RUNNING:
            self._notices.end_progress()

    def _stop_fetch(self) -> None:
        self._bridge.cancel(FETCH)

    def _keep(self, data: Any, beside: bool) -> None:
        image = data if isinstance(data, QImage) else QImage(data)
        if image.isNull():
            self._notices.say(self.tr("The picture that was dropped is empty."), "warning")
            return
        self._beside = beside

        def job() -> Generator[Step[Any], Any, None]:
            buffer = QBuffer()
            buffer.open(QIODevice.OpenModeFlag.WriteOnly)
            QImageWriter(buffer, QByteArray(b"png")).write(image)
            yield Step((str(keep(bytes(buffer.data().data()), "pasted")),))

        self._bridge.fetch(KEEP, lambda _: job())


def read(item: object, frame: int = 0) -> Image:
    """The picture of a path or of a sample."""
    load: Callable[[], Image] | None = getattr(item, "load", None)
    return load() if load is not None else open_image(str(item), frame=frame)


def keep(data: bytes, name: str, suffix: str = ".png") -> Path:
    """Writes `data` into the program's own folder, once, and forgets the oldest beyond a few."""
    folder = kept_folder()
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}-{hashlib.blake2b(data, digest_size=6).hexdigest()}{suffix}"
    place.write_bytes(data)
    old = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-MOST_KEPT]
    for path in old:
        path.unlink(missing_ok=True)
    return place


def _fetched(address: str, token: Token) -> Generator[Step[Any], Any, None]:
    host = urlsplit(address).hostname or address
    yield Step(None, 0, 0, host)
    data = sources.fetch(address, cancelled=lambda: token.cancelled)
    decode_image(data, name=host)  # what is no picture is refused before it is kept
    suffix = Path(urlsplit(address).path).suffix.lower()
    yield Step((str(keep(data, "fetched", suffix if suffix in SUFFIXES else ".img")),))


def _typed_address(mime: QMimeData) -> str:
    text = mime.text().strip() if mime.hasText() else ""
    return text if text.startswith(("http://", "https://")) and "\n" not in text else ""


def _nothing() -> None:
    """What "No" does."""
