"""Small widgets that docks and dialogs share: quiet, wheel-safe, readable in every palette."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.widgets import tab_order
from explorer.ui.widgets.fonts import set_own_font
from explorer.ui.widgets.theme import icon

UNIT = 8
"""Every gap is a multiple of half of this."""


def blend(over: QColor, under: QColor, share: float) -> QColor:
    """`share` of `over` on top of `under`."""
    rest = 1.0 - share
    return QColor.fromRgbF(
        over.redF() * share + under.redF() * rest,
        over.greenF() * share + under.greenF() * rest,
        over.blueF() * share + under.blueF() * rest,
    )


def is_dark(palette: QPalette) -> bool:
    return palette.color(QPalette.ColorRole.Window).lightnessF() < 0.5


def muted(palette: QPalette) -> QColor:
    """Secondary text."""
    return palette.color(QPalette.ColorRole.PlaceholderText)


def line_color(palette: QPalette) -> QColor:
    """Hairlines and the outlines of cards."""
    return palette.color(QPalette.ColorRole.Mid)


def tone(kind: str, palette: QPalette) -> QColor:
    """The color of a message or a badge: "error", "warning", "good" or "info"."""
    dark = is_dark(palette)
    return {
        "error": QColor("#ff7b72" if dark else "#b01f27"),
        "warning": QColor("#f0b440" if dark else "#7a4d00"),
        "good": QColor("#57c98a" if dark else "#136744"),
        "info": QColor("#6cb2ff" if dark else "#1b579f"),
        "quiet": muted(palette),
    }[kind]


class Label(QLabel):
    """Plain words that wrap; `quiet` ones are secondary, `factor` scales the font."""

    clicked = Signal()

    def __init__(
        self, text: str = "", *, quiet: bool = False, factor: float = 1.0, bold: bool = False
    ) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        policy = self.sizePolicy()
        policy.setHorizontalPolicy(QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._hugs = False
        if quiet:
            self.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        if factor != 1.0 or bold:
            set_own_font(self, factor, bold=bold)

    def hug(self) -> None:
        """Takes no more width than its words on one line need: what follows stands right behind."""
        self._hugs = True
        policy = self.sizePolicy()
        policy.setHorizontalPolicy(QSizePolicy.Policy.Maximum)
        self.setSizePolicy(policy)

    def minimumSizeHint(self) -> QSize:
        # QLabel's own would be as high as one word per line; the layout asks `heightForWidth`.
        return QSize(1, self.fontMetrics().height())

    def sizeHint(self) -> QSize:
        if not self._hugs:
            return super().sizeHint()
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + 2, metrics.height())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(
            event.position().toPoint()
        ):
            self.clicked.emit()


def take_enter(button: QPushButton) -> None:
    """Enter presses `button` while it has the focus.

    Qt takes it for the default button of a dialog then; the style sheet shows a focus instead.
    """
    button.setAutoDefault(True)
    button.setProperty("takes_enter", True)


class IconButton(QToolButton):
    """A flat button with an icon; `name` is what a screen reader and the tooltip say."""

    def __init__(self, symbol: str, name: str, *, size: int = 16, checkable: bool = False) -> None:
        super().__init__()
        self.setIcon(icon(symbol))
        self.setIconSize(QSize(size, size))
        self.setAutoRaise(True)
        self.setCheckable(checkable)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.rename(name)

    def rename(self, name: str) -> None:
        self.setToolTip(name)
        self.setAccessibleName(name)


class Dot(QWidget):
    """A small disc in one of the colors of `tone`."""

    def __init__(self, kind: str = "good") -> None:
        super().__init__()
        self._kind = kind
        self.setFixedSize(QSize(UNIT + 4, UNIT + 4))

    def set_kind(self, kind: str) -> None:
        if kind != self._kind:
            self._kind = kind
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tone(self._kind, self.palette()))
            painter.drawEllipse(self.rect().adjusted(2, 2, -2, -2))


class HoverButton(QAbstractButton):
    """A button painted by hand, which looks different under the mouse."""

    def __init__(self) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)  # repaints when the mouse comes and goes
        self.setCursor(Qt.CursorShape.PointingHandCursor)


class HelpButton(HoverButton):
    """A quiet (i) behind a title: it shows the help under the mouse, and pressed unfolds it."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setToolTip(words)
        self.setAccessibleName(name)
        self.setAccessibleDescription(words)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedSize(22, 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        accent = self.palette().color(QPalette.ColorRole.Highlight)
        lit = self.isChecked() or self.hasFocus()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if lit:
                window = self.palette().color(QPalette.ColorRole.Window)
                painter.setPen(accent if self.hasFocus() else Qt.PenStyle.NoPen)
                painter.setBrush(blend(accent, window, 0.25))
                painter.drawEllipse(QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5))
            painter.setOpacity(1.0 if lit or self.underMouse() else 0.55)
            icon("info").paint(painter, QRect(4, 4, 14, 14))


class Switch(HoverButton):
    """On or off, as a sliding switch; Space toggles it."""

    def __init__(self) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(36, 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        accent = palette.color(QPalette.ColorRole.Highlight)
        window = palette.color(QPalette.ColorRole.Window)
        text = palette.color(QPalette.ColorRole.WindowText)
        track = accent if self.isChecked() else blend(text, window, 0.34)
        if not self.isEnabled():
            track = blend(track, window, 0.4)
        elif self.underMouse():
            track = blend(text, track, 0.12)
        pill = QRectF(2, 2, self.width() - 4, self.height() - 4)
        radius = pill.height() / 2
        knob_x = pill.right() - radius if self.isChecked() else pill.left() + radius
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self.hasFocus():
                painter.setPen(QPen(blend(accent, window, 0.6), 1.5))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                outer = pill.adjusted(-1.25, -1.25, 1.25, 1.25)
                painter.drawRoundedRect(outer, radius + 1.25, radius + 1.25)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(track)
            painter.drawRoundedRect(pill, radius, radius)
            painter.setBrush(QColor("white"))
            painter.drawEllipse(QPointF(knob_x, pill.center().y()), radius - 2, radius - 2)


class FoldButton(QAbstractButton):
    """A chevron and a heading, flush with the column that they stand in."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setText(title)
        self.setAccessibleName(title)
        set_own_font(self, bold=True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.opened = False

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + 20 + UNIT, metrics.height() + UNIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        middle = self.height() // 2
        with QPainter(self) as painter:
            if self.hasFocus():
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 1))
                ring = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
                painter.drawRoundedRect(ring, 6, 6)
            symbol = icon("chevron-down" if self.opened else "chevron-right")
            symbol.paint(painter, QRect(0, middle - 8, 16, 16))
            painter.setPen(palette.color(QPalette.ColorRole.WindowText))
            words = self.rect().adjusted(20, 0, 0, 0)
            painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), self.text())


class Fold(QWidget):
    """A heading that unfolds `body`."""

    toggled = Signal(bool)

    def __init__(self, title: str, body: QWidget, *, opened: bool = False) -> None:
        super().__init__()
        self.body = body
        self.button = FoldButton(title)
        self.button.clicked.connect(self._toggle)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(body)
        self.opened = not opened
        self.set_opened(opened)

    def rename(self, title: str) -> None:
        """Another heading."""
        if title != self.button.text():
            self.button.setText(title)
            self.button.setAccessibleName(title)
            self.button.updateGeometry()

    def set_opened(self, opened: bool) -> None:
        if opened == self.opened:
            return
        self.opened = self.button.opened = opened
        self.button.update()
        self.body.setVisible(opened)
        self.toggled.emit(opened)

    def _toggle(self) -> None:
        self.set_opened(not self.opened)


class Card(QFrame):
    """A rounded plate, tinted by its `kind` ("" = plain)."""

    def __init__(self, kind: str = "") -> None:
        super().__init__()
        self.kind = kind

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        window = palette.color(QPalette.ColorRole.Window)
        if self.kind:
            color = tone(self.kind, palette)
            fill, edge = blend(color, window, 0.12), blend(color, window, 0.35)
        else:
            fill, edge = palette.color(QPalette.ColorRole.Base), line_color(palette)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(edge, 1))
            painter.setBrush(fill)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)


class PopupFrame(QWidget):
    """A window of its own under a button; a click elsewhere or Esc closes it."""

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner, Qt.WindowType.Popup)
        # The click that closes it must not press the button and open it again.
        self.setAttribute(Qt.WidgetAttribute.WA_NoMouseReplay)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes round within what is open."""
        return tab_order.step(self, forward)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        text = palette.color(QPalette.ColorRole.WindowText)
        window = palette.color(QPalette.ColorRole.Window)
        with QPainter(self) as painter:
            painter.setPen(blend(text, window, 0.25))
            painter.setBrush(window)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))


class Flash(QTimer):
    """Marks a field for a moment when what was typed could not be taken as it was."""

    def __init__(self, field: QWidget) -> None:
        super().__init__(field)
        self._field = field
        self.setSingleShot(True)
        self.setInterval(900)
        self.timeout.connect(self._end)

    def show(self) -> None:
        palette = self._field.palette()
        color = tone("warning", palette)
        base = blend(color, palette.color(QPalette.ColorRole.Base), 0.18)
        sheet = f"background: {base.name()}; border-color: {color.name()};"
        self._field.setStyleSheet(sheet)
        self.start()

    def _end(self) -> None:
        self._field.setStyleSheet("")
