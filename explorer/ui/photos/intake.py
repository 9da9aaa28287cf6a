"""Photos in: dialogs, drops, the clipboard and web addresses become items of the filmstrip.

Everything slow (a folder of 100 000 files, a large photo, an address) happens on a worker, in one
job: it finds the photos and reads the first one, which is the one that is shown.
Pictures without a file (pasted, dragged out of a browser, fetched) are kept in a folder of the
program, so that the strip and the session treat them like any other photo.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QObject, Signal
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter
from PySide6.QtWidgets import QFileDialog

from explorer.core import settings
from explorer.core.runner import State, Token, Update
from explorer.core.step import Step
from explorer.images import sources
from explorer.images.image import SUFFIXES, Image, decode_image, open_image
from explorer.live.opening import is_film
from explorer.ui.dialogs.notice import Notice
from explorer.ui.navigation.checkpoints import is_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Mapping, Sequence

    from explorer.core.runner import Failure
    from explorer.ui.photos.filmstrip import Filmstrip
    from explorer.ui.shell.desk import Desk

log = logging.getLogger(__name__)

OPEN, EXPAND, KEEP, FETCH = "open", "expand", "keep", "fetch"
MOST_KEPT = 60
"""An address is usually shown whole."""


def kept_folder() -> Path:
    """Where pictures without a file of their own are kept."""
    return settings.config_folder() / "pictures"


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """Photos that have come.

    Attributes:
        items: Their paths, for the strip.
        beside: The first one is to be compared with what is shown.
        image: The first one, as soon as it has been read.
    """

    items: tuple[str, ...]
    beside: bool
    image: Image | None = None


class Intake(QObject):
    """Takes photos in, lines them up on the strip, and reads the one that is current there.

    Signals:
        found: ``(items, beside)``: photos that are about to be lined up; see `Arrival`.
        opened: The `Image` of the strip's current item.
        failed: The `Failure` of the strip's current item: it cannot be shown.
        film: The path of a video file: it is to be played.
        checkpoint: The path of a file of weights: its network is to be used.
    """

    found = Signal(object, bool)
    opened = Signal(object)
    failed = Signal(object)
    film = Signal(str)
    checkpoint = Signal(str)

    def __init__(self, desk: Desk, strip: Filmstrip) -> None:
        super().__init__(desk.main)
        self._desk, self._strip = desk, strip
        self._wanted: object = None
        self._coming: object = None  # it is being read by the job that has brought it
        self._lined_up: tuple[Hashable, int] | None = None
        self._folder = ""
        strip.current_changed.connect(self.choose)

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here."""
        return {
            "open": self.open_dialog,
            "open_folder": self.open_folder_dialog,
            "open_address": self.address_dialog,
            "paste": self.paste,
            "next_frame": self.next_frame,
        }

    # -- ways in ----------------------------------------------------------------------------------

    def open_dialog(self) -> None:
        patterns = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
        kinds = f"{self.tr('Pictures')} ({patterns});;{self.tr('All files')} (*)"
        paths, _ = QFileDialog.getOpenFileNames(
            self._desk.main, self.tr("Open photos"), self._folder, kinds
        )
        if paths:
            self._folder = str(Path(paths[0]).parent)
            self.open_paths(paths)

    def open_folder_dialog(self) -> None:
        path = QFileDialog.getExistingDirectory(
            self._desk.main, self.tr("Open a folder"), self._folder
        )
        if path:
            self._folder = path
            self.open_paths([path])

    def open_path(self, path: str) -> None:
        self.open_paths([path])

    def open_paths(self, paths: Sequence[str | Path], *, beside: bool = False) -> None:
        """Files and folders; folders are read on the worker. A film is played."""
        films = [str(path) for path in paths if is_film(path)]
        weights = [str(path) for path in paths if is_checkpoint(path)]
        asked = [str(path) for path in paths if str(path) not in (*films, *weights)]
        if films:
            self.film.emit(films[0])
        if weights:
            self.checkpoint.emit(weights[0])
        if not asked:
            return

        def job() -> Generator[Step[Any], Any, None]:
            found = tuple(sources.expand(asked))
            # A folder of nothing but folders: what is meant is what lies below.
            found = found or tuple(sources.expand(asked, recursive=True))
            yield from arriving(tuple(str(item) for item in found), beside)

        self._desk.bridge.fetch(EXPAND, lambda _: job(), self._arrived)

    def address_dialog(self) -> None:
        """Asks for an address and fetches what is there."""
        from explorer.ui.dialogs.address import ask_address

        ask_address(
            self._desk.main, self.tr("Open web address"),
            self.tr("Web address of a picture (http or https):"), self.tr("Download"),
            self._fetch_typed,
        )  # fmt: skip

    def _fetch_typed(self, address: str) -> None:
        if address.strip():  # typed and confirmed: no second question
            self.fetch(address.strip())

    def paste(self) -> None:
        mime = QGuiApplication.clipboard().mimeData()
        if mime is None or not self.accepts(mime):
            self._desk.notices.say(self.tr("There is no picture in the clipboard."))
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
            self._desk.notices.say(words, "warning")

    def ask_address(self, address: str, *, beside: bool = False) -> None:
        """Fetches nothing before the user has agreed."""

        def yes() -> None:
            self.fetch(address, beside=beside)

        shown = address if len(address) <= 90 else f"{address[:60]}…{address[-24:]}"
        self._desk.notices.show_notice(
            Notice(
                self.tr("Download this picture from the web? {address}").format(address=shown),
                "info",
                "",
                ((self.tr("Download"), yes), (self.tr("No"), _nothing)),
            )
        )

    def fetch(self, address: str, *, beside: bool = False) -> None:
        """Downloads a picture that the user has asked for."""
        self._desk.bridge.download(
            FETCH, lambda token: _fetched(address, beside, token), self._fetching
        )

    # -- the current item -------------------------------------------------------------------------

    def choose(self, item: object) -> None:
        """Reads `item` (a path or a sample), unless that is going on; None = nothing is pending."""
        self._wanted = item
        if item is None or item == self._coming:
            self._desk.bridge.cancel(OPEN)
        else:
            self._open(item)

    def next_frame(self) -> None:
        """The next frame or page of the file that is shown, after the last one the first."""
        image = self._desk.study.image
        if image is not None and image.frames > 1 and self._wanted is not None:
            self._open(self._wanted, (image.frame + 1) % image.frames)

    def _open(self, item: object, frame: int = 0) -> None:
        def job() -> Generator[Step[Any], Any, None]:
            yield Step(read(item, frame))

        self._desk.bridge.fetch(OPEN, lambda _: job(), self._opened)

    # -- what comes back --------------------------------------------------------------------------

    def _arrived(self, update: Update) -> None:
        arrival: Arrival | None = update.value
        items = arrival.items if arrival is not None else ()
        job = (update.key, update.ticket)
        if arrival is not None and items and job != self._lined_up:
            self._lined_up, self._coming = job, items[0]
            self.found.emit(items, arrival.beside)
            self._strip.add(items)
        if update.state is State.RUNNING:
            return
        if not items:
            self._say_nothing_came(update)
            return
        if self._coming == items[0]:
            self._coming = None
        if self._wanted == items[0]:  # the user may have moved on
            self._show(arrival.image if arrival is not None else None, update.failure)

    def _say_nothing_came(self, update: Update) -> None:
        if update.failure is not None:
            failure = update.failure
            words = f"{failure.message} {failure.hint}".strip()
            self._desk.notices.say(words, "error", details=failure.details, seconds=12)
        elif update.state is State.DONE:
            self._desk.notices.say(self.tr("There are no pictures in this folder."), "warning")
        if self._coming is not None:  # its job was replaced before it had read it
            self._coming = None
            self.choose(self._wanted)

    def _fetching(self, update: Update) -> None:
        if update.state is State.RUNNING and update.note:
            words = self.tr("Downloading a picture from {host}…").format(host=update.note)
            self._desk.notices.progress(words, self._stop_fetch)
        elif update.state is not State.RUNNING:
            self._desk.notices.end_progress()
        self._arrived(update)

    def _opened(self, update: Update) -> None:
        if update.state in (State.DONE, State.FAILED):
            self._show(update.value, update.failure)

    def _show(self, image: Image | None, failure: Failure | None) -> None:
        if failure is not None:
            self.failed.emit(failure)
        elif image is not None:
            self.opened.emit(image)

    def _stop_fetch(self) -> None:
        self._desk.bridge.cancel(FETCH)

    def _keep(self, data: Any, beside: bool) -> None:
        image = data if isinstance(data, QImage) else QImage(data)
        if image.isNull():
            self._desk.notices.say(self.tr("The picture that was dropped is empty."), "warning")
            return

        def job() -> Generator[Step[Any], Any, None]:
            buffer = QBuffer()
            buffer.open(QIODevice.OpenModeFlag.WriteOnly)
            QImageWriter(buffer, QByteArray(b"png")).write(image)
            yield from arriving((str(keep(bytes(buffer.data().data()), "pasted")),), beside)

        self._desk.bridge.fetch(KEEP, lambda _: job(), self._arrived)


def arriving(items: tuple[str, ...], beside: bool) -> Generator[Step[Any], Any, None]:
    """The steps of a job that has found `items`: the strip has them before the first is read."""
    yield Step(Arrival(items, beside))
    if items:
        yield Step(Arrival(items, beside, read(items[0])))


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


def _fetched(address: str, beside: bool, token: Token) -> Generator[Step[Any], Any, None]:
    host = urlsplit(address).hostname or address
    yield Step(None, 0, 0, host)
    data = sources.fetch(address, cancelled=lambda: token.cancelled)
    decode_image(data, name=host)  # what is no picture is refused before it is kept
    suffix = Path(urlsplit(address).path).suffix.lower()
    place = keep(data, "fetched", suffix if suffix in SUFFIXES else ".img")
    yield from arriving((str(place),), beside)


def _typed_address(mime: QMimeData) -> str:
    text = mime.text().strip() if mime.hasText() else ""
    return text if text.startswith(("http://", "https://")) and "\n" not in text else ""


def _nothing() -> None:
    """What "No" does."""
