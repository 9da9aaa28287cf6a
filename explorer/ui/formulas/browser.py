"""Markdown with mathematics: the explanations of views and the pages of the guide.

Formulas between dollar signs that stand alone are images, set by a thread of their own (plain
letters stand there meanwhile); those in a line are letters that never break. Copied, and for screen
readers, all are plain letters.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, QSizeF, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QContextMenuEvent,
    QFontMetricsF,
    QGuiApplication,
    QShowEvent,
    QTextBlock,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextImageFormat,
)
from PySide6.QtWidgets import QMenu, QTextBrowser

from explorer.render import formulas
from explorer.ui.formulas.images import formula_image, formula_size
from explorer.ui.formulas.inline import marked, text_of
from explorer.ui.formulas.setting import Setter

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMULA = "formula:"


@contextmanager
def one_edit(document: QTextDocument) -> Iterator[None]:
    """Many changes laid out once: a long table took seconds to be set cell by cell."""
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    try:
        yield
    finally:
        cursor.endEditBlock()


class FormulaBrowser(QTextBrowser):
    """A text browser for Markdown with formulas.

    Who inherits it gives its document `with_places(text)`, then calls `set_marked` and, for every
    block, `draw_formula`; `ask` sets what has not been set yet, and `render_again` follows.
    """

    def __init__(self) -> None:
        super().__init__()
        self._formulas: list[str] = []
        self._setter = Setter()
        self._setter.done.connect(self.render_again, Qt.ConnectionType.QueuedConnection)
        # A theme or a text size sends each widget several changes of palette and font.
        self._changed = QTimer(self, singleShot=True, interval=0)
        self._changed.timeout.connect(self._follow)
        self._stale = False  # nobody sees it: it is set again when it is shown

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._stale = True
            if self.isVisible():
                self._changed.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._changed.start()

    def _follow(self) -> None:
        self._stale = False
        self.render_again()

    def render_again(self) -> None:
        """Shows the same text; its formulas, colors or font have changed."""
        raise NotImplementedError

    def room(self) -> float:
        """How wide a formula may be, in the window's pixels."""
        raise NotImplementedError

    def with_places(self, markdown: str) -> str:
        """The text as Markdown for the document, with places for its formulas."""
        self._formulas = []
        return formulas.replaced(markdown, self._placed, marked)

    def ask(self, markdown: str) -> None:
        """Has the formulas of a text set that have not been set yet."""
        self._setter.ask(formulas.displayed(markdown))

    def draw_formula(self, block: QTextBlock) -> bool:
        """Draws the formula that a block consists of; False where there is none."""
        parts = block.begin()
        while not parts.atEnd():
            fragment = parts.fragment()
            shape = fragment.charFormat().toImageFormat()
            if shape.isValid() and shape.name().startswith(FORMULA):
                cursor = QTextCursor(block)
                cursor.setPosition(fragment.position())
                keep = QTextCursor.MoveMode.KeepAnchor
                cursor.setPosition(fragment.position() + fragment.length(), keep)
                self._draw(cursor, shape)
                return True
            parts += 1
        return False

    def written(self, start: int = 0, end: int = -1) -> str:
        """The text from one position of the document to another, formulas in plain letters."""
        document = self.document()
        end = document.characterCount() if end < 0 else end
        lines = []
        block = document.findBlock(start)
        while block.isValid() and block.position() < end:
            lines.append(text_of(block, start, end))
            block = block.next()
        return "\n".join(lines)

    def createMimeDataFromSelection(self) -> QMimeData:
        cursor = self.textCursor()
        data = QMimeData()
        data.setText(self.written(cursor.selectionStart(), cursor.selectionEnd()))
        return data

    def formula_at(self, position: QPoint) -> str:
        """The LaTeX of the formula that is drawn there; "" where there is none."""
        scrolled = QPointF(self.horizontalScrollBar().value(), self.verticalScrollBar().value())
        name = self.document().documentLayout().imageAt(position.toPointF() + scrolled)
        return self._formulas[int(name.removeprefix(FORMULA))] if name else ""

    def menu_at(self, position: QPoint) -> QMenu:
        """What the right button offers there."""
        menu: QMenu = self.createStandardContextMenu(position)
        latex = self.formula_at(position)
        if latex:
            action = menu.addAction(self.tr("Copy formula as LaTeX"))
            action.triggered.connect(lambda: QGuiApplication.clipboard().setText(latex))
        return menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.menu_at(event.pos())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def _placed(self, latex: str) -> str:
        """What holds a formula's place until it is drawn."""
        if formula_size(latex, 1.0).isEmpty():
            return formulas.block(latex)
        self._formulas.append(latex)
        # Qt repeats the image for every letter of its description: it gets one, the words later.
        return f"\n\n![f]({FORMULA}{len(self._formulas) - 1})\n\n"

    def _draw(self, cursor: QTextCursor, shape: QTextImageFormat) -> None:
        """Draws a formula as large as the text, smaller where the column is narrow."""
        latex = self._formulas[int(shape.name().removeprefix(FORMULA))]
        pixels = QFontMetricsF(self.font()).height() * 0.95
        size, room = formula_size(latex, pixels), self.room()
        if room > 0 and size.width() > room:
            size = QSizeF(room, size.height() * room / size.width())
        color = self.palette().text().color()
        image = formula_image(latex, size, color, self.devicePixelRatioF())
        kind = QTextDocument.ResourceType.ImageResource
        self.document().addResource(kind, QUrl(shape.name()), image)
        shape.setProperty(QTextFormat.Property.ImageAltText, formulas.plain(latex))
        shape.setWidth(size.width())
        shape.setHeight(size.height())
        cursor.mergeCharFormat(shape)
