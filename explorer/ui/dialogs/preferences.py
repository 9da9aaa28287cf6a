"""Preferences: every change counts at once, nothing has to be confirmed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from explorer.core.settings import TEXT_SIZES, Preferences, config_folder, settings_path
from explorer.ui.dialogs.overlay import Overlay
from explorer.ui.form.choices import COMBO_FRAME, Combo
from explorer.ui.widgets.scrolled import scrolled
from explorer.ui.widgets.small_widgets import UNIT, Label, Switch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from explorer.ui.dialogs.cache_row import CacheRow


Row = tuple[str, str, QWidget]
"""Title, a sentence or "", and the editor."""


class PreferencesSheet(Overlay):
    """A sheet over the window; `cache` is the row about what is kept on disk.

    Signals:
        changed: The new `Preferences`.
    """

    changed = Signal(object)

    def __init__(
        self,
        window: QWidget,
        preferences: Preferences,
        devices: tuple[str, ...],
        cache: CacheRow | None = None,
    ) -> None:
        super().__init__(window, QSize(UNIT * 66, UNIT * (80 if cache is None else 88)))
        self._preferences = preferences
        self._make_editors(preferences, devices)
        folder = QPushButton(self.tr("Open the settings folder"))
        folder.setToolTip(str(settings_path()))
        folder.clicked.connect(self._open_folder)
        close = QPushButton(self.tr("Done"))
        close.setDefault(True)
        close.clicked.connect(self.close_sheet)
        foot = QHBoxLayout()
        foot.addWidget(folder)
        foot.addStretch(1)
        foot.addWidget(close)
        self.body.setContentsMargins(UNIT * 3, UNIT * 2, UNIT * 3, UNIT * 3)
        self.body.setSpacing(UNIT * 3)
        self.body.addWidget(Label(self.tr("Preferences"), factor=1.35, bold=True))
        self.body.addWidget(_scrolled(_grid(self._rows()), cache), 1)
        self.body.addLayout(foot)

    def _make_editors(self, preferences: Preferences, devices: tuple[str, ...]) -> None:
        self.theme = self._choice(
            preferences.theme,
            (self.tr("Follow system"), "system"),
            (self.tr("Light"), "light"),
            (self.tr("Dark"), "dark"),
        )
        sizes = sorted({*TEXT_SIZES, preferences.text_size})
        self.text_size = self._choice(
            preferences.text_size, *((f"{percent}%", percent) for percent in sizes)
        )
        self.colors = self._choice(
            preferences.colors,
            (self.tr("Standard"), "standard"),
            (self.tr("Safe for color blindness"), "color_blind"),
            (self.tr("High contrast (projector)"), "high_contrast"),
        )
        best = self.tr("Best available")
        words = dict.fromkeys(("auto", *devices, preferences.device))
        self.device = self._choice(
            preferences.device, *((best if word == "auto" else word, word) for word in words)
        )
        self.compare = self._choice(
            preferences.compare, (self.tr("Wipe"), "wipe"), (self.tr("Side by side"), "split")
        )
        self.live_runtime = self._choice(
            preferences.live_runtime,
            (self.tr("Automatic"), "automatic"),
            (self.tr("PyTorch only"), "torch"),
        )
        self.half = Switch()
        self.half.setChecked(preferences.half)
        self.half.toggled.connect(self._tell)
        self.restore = Switch()
        self.restore.setChecked(preferences.restore_session)
        self.restore.toggled.connect(self._tell)
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setValue(preferences.seed)
        self.seed.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.seed.editingFinished.connect(self._tell)
        self._fit_editors()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit_editors()

    def _fit_editors(self) -> None:
        """All as wide as the longest choice: their edges stand under each other."""
        metrics = self.fontMetrics()
        combos = (
            self.theme, self.text_size, self.colors, self.device, self.live_runtime, self.compare,
        )  # fmt: skip
        words = (combo.itemText(row) for combo in combos for row in range(combo.count()))
        width = max(metrics.horizontalAdvance(word) for word in words) + COMBO_FRAME
        for editor in (*combos, self.seed):
            editor.setFixedWidth(width)

    def _choice(self, value: object, *entries: tuple[str, object]) -> Combo:
        """Of titles and their values, with that of `value` chosen."""
        combo = Combo()
        for title, data in entries:
            combo.addItem(title, data)
        combo.setCurrentIndex(combo.findData(value))
        combo.currentIndexChanged.connect(self._tell)
        return combo

    def _rows(self) -> tuple[Row, ...]:
        return (
            (self.tr("Theme"), "", self.theme),
            (self.tr("Text size"), "", self.text_size),
            (
                self.tr("Class colors"),
                self.tr("Colors of boxes, masks and charts, also in exported files."),
                self.colors,
            ),
            (self.tr("Device"), self.tr("Where networks run."), self.device),
            (
                self.tr("Faster runtime for live"),
                self.tr("ONNX Runtime where it is installed and faster on this computer."),
                self.live_runtime,
            ),
            (
                self.tr("Half precision"),
                self.tr("16-bit floats: faster where supported; results differ slightly."),
                self.half,
            ),
            (
                self.tr("Seed"),
                self.tr("The same seed gives the same dreams and random weights."),
                self.seed,
            ),
            (self.tr("Comparison"), "", self.compare),
            (
                self.tr("Restore the last session"),
                self.tr("Reopens photos, network, view and settings at startup."),
                self.restore,
            ),
        )

    def _tell(self) -> None:
        new = replace(
            self._preferences,
            theme=self.theme.currentData(),
            device=self.device.currentData(),
            half=self.half.isChecked(),
            seed=self.seed.value(),
            compare=self.compare.currentData(),
            text_size=self.text_size.currentData(),
            colors=self.colors.currentData(),
            live_runtime=self.live_runtime.currentData(),
            restore_session=self.restore.isChecked(),
        )
        if new != self._preferences:
            self._preferences = new
            self.changed.emit(new)

    def _open_folder(self) -> None:
        config_folder().mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(config_folder())))


def _grid(rows: Iterable[Row]) -> QGridLayout:
    """Title and words on the left, the editor on the right."""
    grid = QGridLayout()
    grid.setHorizontalSpacing(UNIT * 3)
    grid.setVerticalSpacing(UNIT * 2)
    grid.setColumnStretch(0, 1)
    for row, (title, words, editor) in enumerate(rows):
        box = QVBoxLayout()
        box.setSpacing(0)
        box.addWidget(Label(title))
        if words:
            box.addWidget(Label(words, quiet=True, factor=0.92))
        editor.setAccessibleName(title)
        editor.setAccessibleDescription(words)
        grid.addLayout(box, row, 0)
        grid.addWidget(editor, row, 1, Qt.AlignmentFlag.AlignRight)
    return grid


def _scrolled(grid: QGridLayout, cache: QWidget | None) -> QScrollArea:
    """The rows; in a small window, or with large text, they are scrolled."""
    inner = QWidget()
    column = QVBoxLayout(inner)
    column.setContentsMargins(0, 0, UNIT, 0)
    column.setSpacing(UNIT * 3)
    column.addLayout(grid)
    if cache is not None:
        column.addWidget(cache)
    column.addStretch(1)
    return scrolled(inner)
