"""Preferences: every change counts at once, nothing has to be confirmed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QComboBox,
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
from explorer.ui.form.choices import Combo
from explorer.ui.widgets.scrolled import scrolled
from explorer.ui.widgets.small_widgets import UNIT, Label, Switch

if TYPE_CHECKING:
    from explorer.ui.dialogs.cache_row import CacheRow


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
        super().__init__(window, QSize(UNIT * 66, UNIT * (74 if cache is None else 82)))
        self._preferences = preferences
        self.theme = Combo()
        for word, title in (
            ("system", self.tr("Follow system")),
            ("light", self.tr("Light")),
            ("dark", self.tr("Dark")),
        ):
            self.theme.addItem(title, word)
        self.theme.setCurrentIndex(self.theme.findData(preferences.theme))
        self.text_size = Combo()
        for percent in sorted({*TEXT_SIZES, preferences.text_size}):
            self.text_size.addItem(f"{percent}%", percent)
        self.text_size.setCurrentIndex(self.text_size.findData(preferences.text_size))
        self.colors = Combo()
        for word, title in (
            ("standard", self.tr("Standard")),
            ("color_blind", self.tr("Safe for color blindness")),
            ("high_contrast", self.tr("High contrast (projector)")),
        ):
            self.colors.addItem(title, word)
        self.colors.setCurrentIndex(self.colors.findData(preferences.colors))
        self.device = Combo()
        for word in dict.fromkeys(("auto", *devices, preferences.device)):
            self.device.addItem(self.tr("Best available") if word == "auto" else word, word)
        self.device.setCurrentIndex(self.device.findData(preferences.device))
        self.half = Switch()
        self.half.setChecked(preferences.half)
        self.seed = QSpinBox()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setValue(preferences.seed)
        self.compare = Combo()
        self.compare.addItem(self.tr("Wipe"), "wipe")
        self.compare.addItem(self.tr("Side by side"), "split")
        self.compare.setCurrentIndex(self.compare.findData(preferences.compare))
        self.restore = Switch()
        self.restore.setChecked(preferences.restore_session)

        grid = QGridLayout()
        grid.setHorizontalSpacing(UNIT * 3)
        grid.setVerticalSpacing(UNIT * 2)
        grid.setColumnStretch(0, 1)
        rows: tuple[tuple[str, str, QWidget], ...] = (
            (self.tr("Theme"), "", self.theme),
            (self.tr("Text size"), "", self.text_size),
            (
                self.tr("Class colors"),
                self.tr("Colors of boxes, masks and charts, also in exported files."),
                self.colors,
            ),
            (self.tr("Device"), self.tr("Where networks run."), self.device),
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
        self.body.addWidget(_scrolled(grid, cache), 1)
        self.body.addLayout(foot)

        for combo in (self.theme, self.text_size, self.colors, self.device, self.compare):
            combo.setMinimumWidth(UNIT * 18)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            combo.currentIndexChanged.connect(self._tell)
        self.half.toggled.connect(self._tell)
        self.restore.toggled.connect(self._tell)
        self.seed.setMinimumWidth(UNIT * 18)
        self.seed.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.seed.editingFinished.connect(self._tell)

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
            restore_session=self.restore.isChecked(),
        )
        if new != self._preferences:
            self._preferences = new
            self.changed.emit(new)

    def _open_folder(self) -> None:
        config_folder().mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(config_folder())))


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
