"""Colors and icons: two palettes of our own, the same on every desktop.

`apply` works at any time; icons made by `icon` are swapped on whatever button or action shows one.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from string import Template

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import (
    QAction,
    QColor,
    QGuiApplication,
    QIcon,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication, QStyleFactory, QWidget

from explorer.core.resources import resource_path
from explorer.ui.widgets.fonts import fit_fonts

log = logging.getLogger(__name__)

SIZES = (16, 20)
"""The icon sizes in use; each is rendered from the drawing, none is scaled."""

LIGHT = {
    "window": "#f6f7f9",
    "base": "#ffffff",
    "raised": "#ffffff",
    "button": "#eceef2",
    "hover": "#e4e7ed",
    "pressed": "#d8dde6",
    "line": "#dde1e8",
    "text": "#1c1f26",
    "muted": "#585f6d",
    "faint": "#a3a9b5",
    "accent": "#2b5fd6",
    "link": "#2b5fd6",
    "focus": "#2b5fd6",
    "soft": "#e3ebfd",
    "on_accent": "#ffffff",
    "canvas": "#e9ebef",
}
DARK = {
    "window": "#1d1f24",
    "base": "#17191d",
    "raised": "#26292f",
    "button": "#2b2e36",
    "hover": "#343841",
    "pressed": "#3e434e",
    "line": "#33373f",
    "text": "#e8eaee",
    "muted": "#a9b0bc",
    "faint": "#646a76",
    "accent": "#3a6fe0",
    "link": "#7ea6ff",
    "focus": "#7ea6ff",
    "soft": "#26365a",
    "on_accent": "#ffffff",
    "canvas": "#131519",
}

_SHEET = Template("""
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 4px 6px; }
QMainWindow::separator { background: $line; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: $accent; }
QToolBar { background: $window; border: 0; border-bottom: 1px solid $line;
  padding: 6px 8px; spacing: 4px; }
QToolBar::separator { background: $line; width: 1px; margin: 6px 6px; }
QToolButton { border: 0; border-radius: 6px; padding: 5px; }
QToolButton:hover { background: $hover; }
QToolButton:pressed { background: $pressed; }
QToolButton:checked { background: $soft; }
QToolButton:focus { border: 1px solid $focus; padding: 4px; }
QToolButton::menu-indicator { image: none; }
#qt_toolbar_ext_button { padding: 0; min-width: 18px; }
QStatusBar { background: $window; border-top: 1px solid $line; }
QStatusBar::item { border: 0; }
QMenuBar { background: $window; padding: 2px 6px; }
QMenuBar::item { padding: 4px 9px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected, QMenuBar::item:pressed { background: $hover; color: $text; }
QMenu { background: $raised; border: 1px solid $line; padding: 6px; }
QMenu::item { padding: 5px 24px 5px 10px; border-radius: 4px; }
QMenu::item:selected { background: $accent; color: $on_accent; }
QMenu::item:disabled { color: $faint; background: transparent; }
QMenu::icon { padding-left: 8px; }
QMenu::separator { height: 1px; background: $line; margin: 5px 8px; }
QTabBar::tab { padding: 6px 12px; border: 0; border-bottom: 2px solid transparent; color: $muted; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
QTabBar::tab:selected:focus { background: $soft; }
QTabWidget::pane { border: 0; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: $pressed; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QHeaderView { background: $base; border: 0; }
QHeaderView::section { background: $base; color: $muted; border: 0;
  border-bottom: 1px solid $line; padding: 4px 8px; }
QTableView::item { padding: 0 8px; }
QPushButton { background: $button; border: 1px solid $line; border-radius: 6px;
  padding: 5px 14px; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $pressed; }
QPushButton:focus { border-color: $focus; }
QPushButton:default { background: $accent; border-color: $accent; color: $on_accent; }
QPushButton:default:focus { border-color: $text; }
QPushButton[takes_enter="true"]:focus, QPushButton[takes_enter="true"]:default {
  background: $soft; border: 2px solid $focus; padding: 4px 13px; color: $text; }
QPushButton:disabled { color: $faint; }
QCheckBox:focus, QScrollArea:focus { border: 1px solid $focus; border-radius: 4px; }
QLineEdit, QSpinBox, QDoubleSpinBox, QPlainTextEdit, QTextEdit {
  background: $base; border: 1px solid $line; border-radius: 6px; padding: 3px 6px;
  selection-background-color: $accent; selection-color: $on_accent; }
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QPlainTextEdit:focus {
  border-color: $focus; }
QAbstractSpinBox { padding-left: 0; padding-right: 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: 0; }
QAbstractItemView { border: 0; }
QProgressBar { background: $pressed; border: 0; border-radius: 2px; max-height: 4px; }
QProgressBar::chunk { background: $accent; border-radius: 2px; }
""")

_STYLED = "explorer_styled"
"""Property of the application: Fusion is set."""

_names: dict[int, str] = {}
"""Icon cache key -> name: copies of an icon keep its key, so any button's icon can be named."""
_dark = False


def colors() -> dict[str, str]:
    """The palette in use, by role."""
    return DARK if _dark else LIGHT


def is_dark() -> bool:
    return _dark


def resolved(theme: str) -> str:
    """What "system" means on this desktop now: "light" or "dark"."""
    if theme in ("light", "dark"):
        return theme
    scheme = QGuiApplication.styleHints().colorScheme()
    return "dark" if scheme == Qt.ColorScheme.Dark else "light"


def apply(app: QApplication, theme: str) -> None:
    """Dresses the whole program in `theme`: "system", "light" or "dark"."""
    global _dark
    hints = QGuiApplication.styleHints()
    schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    # Asks the desktop for matching window frames and file dialogs; does nothing without a platform
    # theme, which is why the palette below never depends on it.
    hints.setColorScheme(schemes.get(theme, Qt.ColorScheme.Unknown))
    _dark = resolved(theme) == "dark"
    _use_fusion(app)
    app.setPalette(palette(colors()))
    app.setStyleSheet(_SHEET.substitute(colors()))
    fit_fonts(app)
    _swap_icons(app)


def _use_fusion(app: QApplication) -> None:
    """Sets the style once: it polishes every widget, and under a style sheet has no name to ask."""
    if not app.property(_STYLED):
        app.setStyle(QStyleFactory.create("Fusion"))
        app.setProperty(_STYLED, True)


def palette(shades: dict[str, str]) -> QPalette:
    """A full palette from our few shades."""
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    made = QPalette(QColor(shades["button"]), QColor(shades["window"]))
    table = {
        role.Window: "window",
        role.WindowText: "text",
        role.Base: "base",
        role.AlternateBase: "window",
        role.Text: "text",
        role.Button: "button",
        role.ButtonText: "text",
        role.ToolTipBase: "raised",
        role.ToolTipText: "text",
        role.PlaceholderText: "muted",
        role.BrightText: "on_accent",
        role.Highlight: "accent",
        role.HighlightedText: "on_accent",
        role.Accent: "accent",
        role.Link: "link",
        role.LinkVisited: "link",
        role.Light: "raised",
        role.Midlight: "hover",
        role.Mid: "line",
        role.Dark: "line",
    }
    for which, shade in table.items():
        made.setColor(which, QColor(shades[shade]))
    for which in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        made.setColor(group.Disabled, which, QColor(shades["faint"]))
    made.setColor(group.Disabled, role.Highlight, QColor(shades["line"]))
    return made


def icon(name: str) -> QIcon:
    """The drawing `resources/icons/NAME.svg` in the text color of the palette in use.

    An unknown name gives an empty icon and a line in the log.
    """
    shades = colors()
    made = _icon(name, shades["text"], shades["faint"], shades["on_accent"], pixel_ratio())
    if not made.isNull():
        _names[made.cacheKey()] = name
    return made


def app_icon() -> QIcon:
    made = QIcon()
    renderer = QSvgRenderer(str(resource_path("icons", "app.svg")))
    for size in (16, 24, 32, 48, 64, 128, 256):
        made.addPixmap(_drawn(renderer, size, 1.0))
    return made


@lru_cache(maxsize=512)
def _icon(name: str, color: str, disabled: str, selected: str, ratio: float) -> QIcon:
    path = resource_path("icons", f"{name}.svg")
    try:
        svg = path.read_text("utf-8")
    except OSError as error:
        log.warning("there is no icon %s: %s", name, error)
        return QIcon()
    made = QIcon()
    shades = {
        QIcon.Mode.Normal: color,
        QIcon.Mode.Disabled: disabled,
        QIcon.Mode.Selected: selected,
    }
    renderer = QSvgRenderer(QByteArray(svg.encode()))  # "currentColor" is black until it is tinted
    for size in SIZES:
        drawn = _drawn(renderer, size, ratio)
        for mode, shade in shades.items():
            made.addPixmap(_tinted(drawn, shade), mode)
    return made


def _tinted(pixmap: QPixmap, shade: str) -> QPixmap:
    copy = QPixmap(pixmap)
    with QPainter(copy) as painter:
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
        painter.fillRect(copy.rect(), QColor(shade))
    return copy


def _drawn(renderer: QSvgRenderer, size: int, ratio: float) -> QPixmap:
    pixels = round(size * ratio)
    pixmap = QPixmap(QSize(pixels, pixels))
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        renderer.render(painter, QRectF(0, 0, pixels, pixels))
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def pixel_ratio() -> float:
    """Of the sharpest screen: one rendering for it serves the others too."""
    return max((screen.devicePixelRatio() for screen in QGuiApplication.screens()), default=1.0)


def _swap_icons(app: QApplication) -> None:
    for window in app.topLevelWidgets():
        for action in window.findChildren(QAction):
            name = _names.get(action.icon().cacheKey())
            if name:
                action.setIcon(icon(name))
        for child in (window, *window.findChildren(QWidget)):
            if isinstance(child, QAbstractButton):
                name = _names.get(child.icon().cacheKey())
                if name:
                    child.setIcon(icon(name))
