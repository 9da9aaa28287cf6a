"""The empty canvas: a place to drop a photo, and what to do first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.widgets.fonts import scaled_font, text_scale
from explorer.ui.widgets.lifetime import discard
from explorer.ui.widgets.small_widgets import UNIT, Label, blend, line_color, take_enter
from explorer.ui.widgets.theme import icon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.ui.panels.sample_tile import SampleTile
    from explorer.ui.photos.thumbnails import Thumbnails

MOST_SAMPLES = 6


class Welcome(QWidget):
    """A drop zone with words, samples, three buttons and a three-step tour.

    It takes no drops itself (the window does): `set_drag_active` lights it up meanwhile.

    Signals:
        open_requested: Choose photos.
        folder_requested: Choose a folder.
        sample_chosen: A gallery sample was clicked.
    """

    open_requested = Signal()
    folder_requested = Signal()
    sample_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._drag = False
        self.tiles: list[SampleTile] = []
        title = Label(self.tr("Drop a photo here"), factor=1.8, bold=True)
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words = Label(self.tr("paste one, or choose a sample:"), quiet=True, factor=1.1)
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.open = QPushButton(icon("open"), " " + self.tr("Open photos…"))
        self.open.setToolTip(self.tr("Ctrl+O"))
        self.folder = QPushButton(icon("folder"), " " + self.tr("Open a folder…"))
        self.folder.setToolTip(self.tr("Ctrl+U"))
        self.open.clicked.connect(self._open)
        self.folder.clicked.connect(self._folder)
        buttons = QHBoxLayout()
        buttons.setSpacing(UNIT)
        buttons.addStretch(1)
        buttons.addWidget(self.open)
        buttons.addWidget(self.folder)
        self.live = QPushButton(icon("camera"), " " + self.tr("Camera, film or scene"))
        self.live.setToolTip(self.tr("Use a camera, a film or the built-in moving scene"))
        buttons.addWidget(self.live)
        buttons.addStretch(1)
        for button in (self.open, self.folder, self.live):
            take_enter(button)
        self._gallery = QGridLayout()
        self._gallery.setSpacing(UNIT)
        centered = QHBoxLayout()
        centered.addStretch(1)
        centered.addLayout(self._gallery)
        centered.addStretch(1)
        self._tour = QWidget()
        tour = QHBoxLayout(self._tour)
        tour.setContentsMargins(0, UNIT * 3, 0, 0)
        tour.setSpacing(UNIT * 3)
        for number, (head, text) in enumerate(self._steps(), 1):
            tour.addWidget(TourStep(number, head, text), 1)
        self._keys = keys = Label(
            self.tr("Ctrl+V paste  ·  Ctrl+Shift+P all commands  ·  ? shortcuts"),
            quiet=True,
            factor=0.92,
        )
        keys.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._inner = inner = QWidget()
        self._column = layout = QVBoxLayout(inner)
        layout.setContentsMargins(UNIT * 4, UNIT * 2, UNIT * 4, UNIT * 2)
        layout.setSpacing(UNIT * 2)
        layout.addStretch(1)
        self._emblem = Emblem()
        layout.addWidget(self._emblem, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(title)
        layout.addWidget(words)
        layout.addLayout(centered)
        layout.addLayout(buttons)
        layout.addWidget(self._tour)
        layout.addStretch(1)
        layout.addWidget(keys)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(UNIT * 2, UNIT * 2, UNIT * 2, UNIT * 2)
        outer.addStretch(1)
        outer.addWidget(inner, 100)
        outer.addStretch(1)
        self._fit()

    def set_samples(self, samples: Sequence[object], thumbnails: Thumbnails) -> None:
        """Shows the first few samples of the gallery."""
        from explorer.ui.panels.sample_tile import SampleTile  # not before the first paint

        for tile in self.tiles:
            self._gallery.removeWidget(tile)
            discard(tile)
        self.tiles = [SampleTile(item, thumbnails) for item in samples[:MOST_SAMPLES]]
        for number, tile in enumerate(self.tiles):
            tile.chosen.connect(self.sample_chosen)
            self._gallery.addWidget(tile, number // 3, number % 3)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            QTimer.singleShot(0, self, self._fit)  # its parts get it after this

    def _fit(self) -> None:
        """In a small window, or with large text, the least important part goes: nothing is cut."""
        self._inner.setMaximumWidth(round(760 * text_scale()))
        for rows, shown in ((2, 3), (1, 3), (1, 2), (1, 1), (1, 0)):
            self._arrange(rows, shown)
            if self._needed() <= self.height() - UNIT * 4:
                break

    def _arrange(self, rows: int, shown: int) -> None:
        """The samples in this many rows, and this many of the optional parts."""
        room = self.width() - UNIT * 12
        wide = (self.tiles[0].sizeHint().width() + UNIT) if self.tiles else 1
        across = max(1, min(3 if rows == 2 else MOST_SAMPLES, room // wide))
        for number, tile in enumerate(self.tiles):
            self._gallery.addWidget(tile, number // across, number % across)
            tile.setVisible(number < rows * across)
        for place, part in enumerate((self._keys, self._tour, self._emblem)):
            part.setVisible(place < shown)
        self._inner.setMaximumWidth(max(self._inner.maximumWidth(), across * wide + UNIT * 8))

    def _needed(self) -> int:
        """The height of what is shown."""
        self._column.invalidate()
        wide = min(self.width() - UNIT * 4, self._inner.maximumWidth())
        return self._column.totalHeightForWidth(wide)

    def set_live_menu(self, menu: QMenu) -> None:
        """What can be followed instead of a photo."""
        self.live.setMenu(menu)

    def set_drag_active(self, active: bool) -> None:
        """Lights the zone up while something is dragged over the window."""
        self._drag = active
        self.update()

    def _steps(self) -> tuple[tuple[str, str], ...]:
        return (
            (
                self.tr("Open a photo"),
                self.tr("Drop, paste or open it. It stays on this computer."),
            ),
            (
                self.tr("Choose a view"),
                self.tr(
                    "Choose a view and a network above: classes, boxes, feature maps, DeepDream."
                ),
            ),
            (
                self.tr("Explore"),
                self.tr("Move the sliders, click and hover: the result updates immediately."),
            ),
        )

    def _open(self) -> None:
        self.open_requested.emit()

    def _folder(self) -> None:
        self.folder_requested.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        accent = palette.color(QPalette.ColorRole.Highlight)
        window = palette.color(QPalette.ColorRole.Window)
        text = palette.color(QPalette.ColorRole.WindowText)
        pen = QPen(accent if self._drag else blend(text, window, 0.3), 2 if self._drag else 1.5)
        pen.setDashPattern([5, 4])
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(pen)
            painter.setBrush(blend(accent, window, 0.08) if self._drag else Qt.BrushStyle.NoBrush)
            zone = QRectF(self.rect()).adjusted(14, 14, -14, -14)
            painter.drawRoundedRect(zone, 14, 14)


class Emblem(QWidget):
    """A photo and the maps that a network makes of it, as four plates behind each other."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(104, 72)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        accent = palette.color(QPalette.ColorRole.Highlight)
        window = palette.color(QPalette.ColorRole.Window)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(window, 2))
            for number in range(4):
                side = 36 + 9 * number
                left = 68 - 22 * number
                painter.setBrush(blend(accent, window, (0.22, 0.4, 0.65, 1.0)[number]))
                plate = QRectF(left, (72 - side) / 2, side * 0.78, side)
                painter.drawRoundedRect(plate, 6, 6)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(255, 255, 255, 230))
            painter.drawEllipse(QPointF(16, 24), 5, 5)
            hills = [(7, 56), (20, 38), (29, 48), (36, 40), (45, 56)]
            painter.drawPolygon([QPointF(x, y) for x, y in hills])


class TourStep(QWidget):
    """A numbered sentence."""

    def __init__(self, number: int, head: str, text: str) -> None:
        super().__init__()
        self._number = number
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT * 4, 0, 0, 0)
        layout.setSpacing(UNIT // 2)
        layout.addWidget(Label(head, bold=True))
        layout.addWidget(Label(text, quiet=True))
        layout.addStretch(1)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(line_color(palette))
            painter.drawEllipse(QPointF(11, 10), 11, 11)
            painter.setPen(palette.color(QPalette.ColorRole.WindowText))
            painter.setFont(scaled_font(self.font(), 0.95, bold=True))
            circle = QRectF(0, -1, 22, 22)
            painter.drawText(circle, int(Qt.AlignmentFlag.AlignCenter), str(self._number))
