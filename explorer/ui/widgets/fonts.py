"""The program's font and its sizes: every one of them is a part of the text size that is set."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFont, QFontDatabase, QFontInfo
from PySide6.QtWidgets import QApplication, QWidget

_PROGRAM_SIZE = "explorer_text_size"
_OWN_FONT = "explorer_own_font"
"""On a widget: the factor and the weight of its font."""


def set_fonts(app: QApplication) -> None:
    """Uses the desktop's own font; where there is no desktop, one size that reads well."""
    font = app.font()
    if font.family() in ("Sans Serif", "Sans", "DejaVu Sans", ""):
        font = QFont(["Inter", "Noto Sans", "Segoe UI", "Helvetica Neue", "DejaVu Sans"])
        font.setPointSizeF(9.5)
        font.setHintingPreference(QFont.HintingPreference.PreferVerticalHinting)
        app.setFont(font)


def set_text_size(app: QApplication, percent: int) -> None:
    """The whole program's text in percent of the desktop's own, at once."""
    font = app.font()
    own = app.property(_PROGRAM_SIZE)
    if own is None:
        own = _points(font)
        app.setProperty(_PROGRAM_SIZE, own)
    wanted = own * percent / 100
    if abs(_points(font) - wanted) < 0.01:
        return
    # Under a style sheet widgets keep the font that they were polished with.
    sheet = app.styleSheet()
    app.setStyleSheet("")
    font.setPointSizeF(wanted)
    app.setFont(font)
    app.sendPostedEvents(None, QEvent.Type.ApplicationFontChange.value)
    app.setStyleSheet(sheet)
    fit_fonts(app)


def text_scale() -> float:
    """How much larger than the desktop's own the text is."""
    app = QApplication.instance()
    own = app.property(_PROGRAM_SIZE) if isinstance(app, QApplication) else None
    return _points(QApplication.font()) / own if own else 1.0


def _points(font: QFont) -> float:
    """Its size, also where the desktop gives it in pixels."""
    size = font.pointSizeF()
    return size if size > 0 else QFontInfo(font).pointSizeF()


def scaled_font(font: QFont, factor: float, *, bold: bool = False) -> QFont:
    """A copy of `font`, larger or smaller, whether it is given in points or in pixels."""
    copy = QFont(font)
    if font.pointSizeF() > 0:
        copy.setPointSizeF(font.pointSizeF() * factor)
    else:
        copy.setPixelSize(max(1, round(font.pixelSize() * factor)))
    if bold:
        copy.setWeight(QFont.Weight.DemiBold)
    return copy


def fixed_font(font: QFont, factor: float = 1.0) -> QFont:
    """For code: the desktop's letters of one width, as large as `font` times `factor`."""
    fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    fixed.setPointSizeF(_points(font) * factor)
    return fixed


def set_own_font(
    widget: QWidget, factor: float = 1.0, *, bold: bool = False, fixed: bool = False
) -> None:
    """Gives `widget` the program's font in a size of its own, which follows the text size.

    Args:
        widget: Any; its children inherit what it gets.
        factor: Of the program's text size.
        bold: Heavier.
        fixed: Letters of one width, for code.
    """
    widget.setProperty(_OWN_FONT, (factor, bold, fixed))
    _fit(widget)


def fit_fonts(app: QApplication) -> None:
    """After the text size or the style sheet has changed.

    A style sheet takes own fonts away, and widgets that were hidden keep the size before.
    """
    size = app.font().pointSizeF()
    for widget in app.allWidgets():
        if widget.property(_OWN_FONT) is not None:
            _fit(widget)
        elif not widget.testAttribute(Qt.WidgetAttribute.WA_SetFont) and (
            widget.font().pointSizeF() != size
        ):
            widget.setFont(QFont())  # inherited again


def _fit(widget: QWidget) -> None:
    factor, bold, fixed = widget.property(_OWN_FONT)
    program = QApplication.font()
    font = fixed_font(program, factor) if fixed else scaled_font(program, factor, bold=bold)
    widget.setFont(font)
