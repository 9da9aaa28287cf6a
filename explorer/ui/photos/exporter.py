"""Results out: pictures, data, boxes, films, the clipboard. The files runner does the writing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication, QImage, QPixmap

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.render import PICTURE_WIDTH
from explorer.render.numbers import number
from explorer.ui.dialogs.export import ExportKind, ExportSheet, Options
from explorer.ui.dialogs.save_folder import ask_save_place
from explorer.ui.widgets import theme

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from explorer.core.layers import UInt8
    from explorer.saving.boxes import BoxFormat, ImageInfo, LabeledBoxes
    from explorer.saving.film import SavedFilm
    from explorer.ui.board.board import BoardView
    from explorer.ui.dialogs.figure import FigureOptions
    from explorer.ui.shell.desk import Desk

SAVE = "save"
PICTURES = "*.png *.jpg *.webp *.tif"
FIGURES = "*.svg *.pdf"
LARGEST_PICTURE = 8000
LONGEST_SIDE = 1280
"""Of a film of steps, whose frames are kept no larger."""

STEPS_RATE, MOST_RATE = 12, 60


@dataclass(frozen=True, slots=True)
class _Film:
    """A film of steps that was written, out of so many, and the rate that was asked for."""

    saved: SavedFilm
    steps: int
    rate: float


class Exporter(QObject):
    """What leaves the window."""

    def __init__(self, desk: Desk, view: BoardView) -> None:
        super().__init__(desk.main)
        self._desk, self._view = desk, view
        self._figure: FigureOptions | None = None
        self._last: dict[str, Options] = {}  # by kind: what was chosen last, in that order

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here."""
        return {
            "save": self.save_picture,
            "save_as": self.export,
            "screenshot": self.screenshot,
            "save_truth": self.save_truth,
            "copy_view": self.copy,
            "copy_python": self.copy_python,
        }

    # -- what the user asks -----------------------------------------------------------------------

    def save_picture(self) -> None:
        """The board as a picture; its parameters, seed and versions go into the file."""
        if not self._something():
            return

        def whole(path: str, options: Options) -> None:
            self.write_picture(path, whole=True, width=options.size)

        def alone(path: str, _options: Options) -> None:
            self.write_picture(path, whole=False)

        def figure(path: str, _options: Options) -> None:
            self._ask_figure(path)

        size, title = (PICTURE_WIDTH, LARGEST_PICTURE), self.tr("Width")
        self._offer(
            self.tr("Save picture"),
            ExportKind(self.tr("All panes"), PICTURES, whole, size=size, size_title=title),
            ExportKind(self.tr("Picture only, full size"), PICTURES, alone),
            ExportKind(self.tr("Vector figure"), FIGURES, figure),
        )

    def export(self) -> None:
        """Numbers, boxes or the film, by the kind that is chosen."""
        if not self._something():
            return
        kinds: list[ExportKind] = []
        view, finished = self._desk.study.view, self._desk.study.finished
        if view is not None and view.film and len(self._desk.bridge.step_film) > 1:
            kinds.append(
                ExportKind(
                    self.tr("Film of the steps"), "*.mp4 *.gif", self._write_film,
                    size=(LONGEST_SIDE, LONGEST_SIDE), rate=(STEPS_RATE, MOST_RATE),
                    size_title=self.tr("Max. side"),
                )
            )  # fmt: skip

        def data(path: str, _options: Options) -> None:
            self.write_data(path)

        kinds.append(ExportKind(self.tr("Data"), "*.json *.csv *.npz", data))
        boxes = finished.boxes if finished is not None else None
        if finished is not None and boxes is not None:
            kinds += self._box_kinds(boxes, finished.photo_info)
        if view is not None and view.mask is not None:
            kinds.append(ExportKind(self.tr("Masks as indexed PNG"), "*.png", self._write_mask))
        kinds.append(ExportKind(self.tr("Report as a web page"), "*.html", self._write_report))
        self._offer(self.tr("Export"), *kinds)

    def save_report(self) -> None:
        """What is shown as one web page with figures and tables."""
        if not self._something():
            return
        kind = f"{self.tr('Web page')} (*.html)"
        path, _ = self._ask(self.tr("Save the report"), ".html", (kind,))
        if path:
            self.write_report(path)

    def _offer(self, title: str, *kinds: ExportKind) -> None:
        """Asks what, how large and how fast; then where to."""

        def place(kind: ExportKind, options: Options) -> None:
            self._last.pop(kind.title, None)
            self._last[kind.title] = options
            path, _ = self._ask(title, kind.suffix, (f"{kind.title} ({kind.suffixes})",))
            if path:
                kind.write(path, options)

        self.sheet = ExportSheet(self._desk.main, title, kinds, self._last)
        self.sheet.accepted.connect(place)
        self.sheet.closed.connect(self.sheet.deleteLater)
        self.sheet.open(self.sheet.what)

    def save_truth(self) -> None:
        """The photo's ground truth as COCO, VOC or YOLO."""
        truth, photo = self._desk.study.truth, self._desk.study.image
        if not truth or photo is None:
            self._desk.notices.say(self.tr("This photo has no ground truth to save."))
            return
        from explorer.saving.export import ImageInfo, LabeledBoxes

        corners = np.array([(b.x0, b.y0, b.x1, b.y1) for b in truth], np.float32)
        labels = tuple(box.label or "object" for box in truth)
        boxes = LabeledBoxes(
            corners, labels, difficult=tuple(box.difficult for box in truth),
            crowd=tuple(box.crowd for box in truth),
        )  # fmt: skip
        name = photo.path.name if photo.path else photo.name
        kinds = self._box_kinds(boxes, ImageInfo(name, photo.width, photo.height))
        self._offer(self.tr("Save ground truth"), *kinds)

    def copy(self) -> None:
        """What is on the canvas, as it is shown."""
        if not self._something():
            return
        QGuiApplication.clipboard().setImage(_image(self._view.grab_rgb()))
        self._desk.notices.say(self.tr("Copied."), seconds=3)

    def copy_python(self) -> None:
        """A script that asks the same, onto the clipboard."""
        finished = self._desk.study.finished
        if finished is None or not self._something():
            return
        try:
            words = finished.as_python()
        except ExplorerError as error:
            self._desk.notices.say(f"{error.message} {error.hint}".strip(), "error", seconds=12)
            return
        QGuiApplication.clipboard().setText(words)
        said = self.tr("Copied a Python script that gives the same result.")
        self._desk.notices.say(said, seconds=5)

    def screenshot(self) -> None:
        """The whole window."""
        pixmap: QPixmap = self._desk.main.grab()
        path, _ = self._ask(self.tr("Save a screenshot"), ".png", (f"PNG ({'*.png'})",))
        if path:
            image = pixmap.toImage().convertToFormat(QImage.Format.Format_RGB888)
            rgb = _array(image)
            self._start(path, lambda: _save_picture(path, rgb, {}))

    # -- writing ----------------------------------------------------------------------------------

    def write_picture(self, path: str, *, whole: bool, width: int = PICTURE_WIDTH) -> None:
        finished = self._desk.study.finished
        assert finished is not None
        # What is drawn and described is taken now, on this thread; the painting may take its time.
        pane, metadata = None if whole else finished.board.panes[0].name, finished.metadata
        dark = theme.is_dark()

        def job() -> None:
            rgb = finished.picture(width=width, theme="dark" if dark else "light", pane=pane)
            _save_picture(path, rgb, metadata)

        self._start(path, job)

    def _ask_figure(self, path: str) -> None:
        """Its size first; then it is written."""
        from explorer.ui.dialogs.figure import FigureOptions, FigureSheet

        def write(options: FigureOptions) -> None:
            self._figure = options
            self.write_figure(path, options)

        sheet = FigureSheet(self._desk.main, Path(path), self._figure or FigureOptions())
        sheet.accepted.connect(write)
        sheet.closed.connect(sheet.deleteLater)
        sheet.open(sheet.width_mm)

    def write_figure(self, path: str, options: FigureOptions) -> None:
        finished = self._desk.study.finished
        assert finished is not None
        pane = None if options.whole else finished.board.panes[0].name
        metadata, title = finished.metadata, finished.title

        def job() -> None:
            from explorer.saving.export import save_figure

            drawing = finished.figure(
                width_mm=options.width_mm, font_size=options.font_size, theme=options.theme,
                pane=pane,
            )  # fmt: skip
            save_figure(path, drawing, metadata, title=title)

        self._start(path, job)

    def write_data(self, path: str) -> None:
        finished = self._desk.study.finished
        assert finished is not None
        data, metadata = finished.data_for(path), finished.metadata

        def job() -> None:
            from explorer.saving.export import save_data

            save_data(path, data, metadata)

        self._start(path, job)

    def _write_report(self, path: str, _options: Options) -> None:
        self.write_report(path)

    def write_report(self, path: str) -> None:
        finished = self._desk.study.finished
        assert finished is not None
        board, metadata, title = finished.page, finished.metadata, finished.title

        def job() -> None:
            from explorer.saving.export import save_page

            save_page(path, board, metadata, title=title)

        self._start(path, job)

    def write_boxes(
        self, path: str, boxes: LabeledBoxes, image: ImageInfo, kind: BoxFormat
    ) -> None:
        def job() -> str:
            from explorer.saving.export import lost_flags, save_boxes

            save_boxes(path, boxes, image, kind)
            return lost_flags(boxes, kind)

        self._start(path, job)

    def _write_mask(self, path: str, _options: Options) -> None:
        self.write_mask(path)

    def write_mask(self, path: str) -> None:
        """The masks of the result as an indexed PNG, with the list of its classes beside it."""
        finished = self._desk.study.finished
        assert finished is not None
        mask = finished.mask
        if mask is None:
            self._desk.notices.say(self.tr("This result has no mask to save."))
            return

        def job() -> None:
            from explorer.saving.export import save_mask

            save_mask(path, mask)

        self._start(path, job)

    def _write_film(self, path: str, options: Options) -> None:
        self.write_film(path, size=options.size, rate=options.rate)

    def write_film(self, path: str, *, size: int = LONGEST_SIDE, rate: float = STEPS_RATE) -> None:
        """The steps; `size` = the longest side at most, `rate` in frames a second."""
        film = self._desk.bridge.step_film
        film.draw()

        def job() -> _Film:
            from explorer.images.pixels import shrunk
            from explorer.saving.export import save_film

            kept = film.frames()
            saved = save_film(path, (shrunk(frame, size) for frame in kept), rate)
            return _Film(saved, kept.steps, rate)

        self._start(path, job)

    # -- inside -----------------------------------------------------------------------------------

    def _written(self, update: Update) -> None:
        notices = self._desk.notices
        if update.state is State.DONE and update.value:
            path, more = update.value
            words = self.tr("Saved {path}").format(path=path)
            if isinstance(more, _Film):
                words = f"{words}: {self._film_words(more)}"
            elif more:
                words = f"{words}. {more}"
            notices.say(words)
        elif update.failure is not None:
            failure = update.failure
            words = f"{failure.message} {failure.hint}".strip()
            notices.say(words, "error", details=failure.details, seconds=12)

    def _film_words(self, film: _Film) -> str:
        """What was written, and what was asked for where that is more."""
        saved = film.saved
        count = quantity(saved.frames, self.tr("frame"), self.tr("frames"))
        if saved.frames < film.steps:
            words = self.tr("{frames:,} of {steps:,} steps")
            count = words.format(frames=saved.frames, steps=film.steps)
        size, given = (f"{width} x {height}" for width, height in (saved.size, saved.given))
        rate, wanted = number(saved.fps), number(film.rate)
        instead = self.tr("{there} instead of {wanted}")
        if max(saved.size) < max(saved.given):
            size = instead.format(there=size, wanted=given)
        if rate != wanted:
            rate = instead.format(there=rate, wanted=wanted)
        words = self.tr("{count}, {size} pixels, {rate} frames per second.")
        return words.format(count=count, size=size, rate=rate)

    def _start(self, path: str, write: Callable[[], _Film | str | None]) -> None:
        def job() -> Generator[Step[Any], Any, None]:
            yield Step((path, write()))

        self._desk.bridge.fetch(SAVE, lambda _: job(), self._written)

    def _ask(self, title: str, suffix: str, kinds: tuple[str, ...]) -> tuple[str, str]:
        image, view = self._desk.study.image, self._desk.study.view
        stem = Path(image.name).stem if image is not None else "convnet-explorer"
        name = f"{stem}-{view.name}{suffix}" if view is not None else f"{stem}{suffix}"
        return ask_save_place(self._desk, title, name, ";;".join(kinds))

    def _something(self) -> bool:
        if self._desk.study.board is not None:
            return True
        self._desk.notices.say(self.tr("There is no result to save yet."))
        return False

    def _box_kinds(self, boxes: LabeledBoxes, image: ImageInfo) -> list[ExportKind]:
        """`boxes` in every format."""

        def writer(kind: BoxFormat) -> Callable[[str, Options], None]:
            return lambda path, _options: self.write_boxes(path, boxes, image, kind)

        coco = [ExportKind(self.tr("Boxes as COCO"), "*.json", writer("coco"))]
        if boxes.outlines:
            polygons = writer("coco-polygons")
            coco = [
                ExportKind(self.tr("Masks as COCO run lengths"), "*.json", writer("coco")),
                ExportKind(self.tr("Masks as COCO polygons"), "*.json", polygons),
            ]
        return [
            *coco,
            ExportKind(self.tr("Boxes as Pascal VOC"), "*.xml", writer("voc")),
            ExportKind(self.tr("Boxes as YOLO"), "*.txt", writer("yolo")),
        ]


def _save_picture(path: str, rgb: UInt8, metadata: dict[str, Any]) -> None:
    from explorer.saving.export import save_picture

    save_picture(path, rgb, metadata)


def _image(rgb: UInt8) -> QImage:
    height, width = rgb.shape[:2]
    solid = np.ascontiguousarray(rgb)
    return QImage(solid.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def _array(image: QImage) -> UInt8:
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()
