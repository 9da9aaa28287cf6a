"""A view's explanation: Markdown set to be read, as high as its text, without a scroll bar.

Formulas between dollar signs are mathematics: those that stand alone are images, set by a thread
of their own (plain letters stand there meanwhile), those in a line never break. Copied, and for
screen readers, all are plain letters.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, QPoint, QSize, QSizeF, Qt, QUrl
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QFontDatabase,
    QFontMetricsF,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QResizeEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextImageFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QMenu, QSizePolicy, QTextBrowser

from explorer.render import formulas
from explorer.ui.formulas.images import formula_image, formula_size
from explorer.ui.formulas.inline import marked, set_marked, text_of
from explorer.ui.formulas.setting import Setter
from explorer.ui.widgets.fonts import scaled_font
from explorer.ui.widgets.small_widgets import UNIT

RING = 3
"""Room for the mark of the focus."""

INDENT = UNIT * 2
"""Of formulas and blocks of code."""

LONGEST_LINE = 76
"""Letters: a longer one is hard to follow back to its beginning."""

LEAST_SCALE = 0.6
"""A line of code is made so much smaller at most to stand whole."""

FORMULA = "formula:"


class Explanation(QTextBrowser):
    """Shows Markdown with formulas."""

    def __init__(self) -> None:
        super().__init__()
        self._markdown = ""
        self._formulas: list[str] = []
        self._setter = Setter()
        self._setter.done.connect(self._render, Qt.ConnectionType.QueuedConnection)
        self.setObjectName("explanation")
        self.setStyleSheet("QTextBrowser { background: transparent; border: 0; padding: 0; }")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenExternalLinks(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # to be read aloud and copied by keys
        self.setViewportMargins(RING, RING, RING, RING)
        self.document().setDocumentMargin(0)
        self.document().setIndentWidth(UNIT * 2.5)
        self.setAccessibleName(self.tr("Explanation of the view"))

    def show_markdown(self, text: str) -> None:
        """Shows a text; formulas that have not been set yet follow."""
        self._markdown = text
        self._render()
        self._setter.ask(formulas.displayed(text))

    def sizeHint(self) -> QSize:
        return QSize(240, max(1, round(self.document().size().height())))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 1)

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
        name = self.document().documentLayout().imageAt(position.toPointF())
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

    def _render(self) -> None:
        document = self.document()
        features = QTextDocument.MarkdownFeature
        document.clear()
        self._formulas = []
        text = formulas.replaced(self._markdown, self._placed, marked)
        document.setMarkdown(text, features.MarkdownDialectGitHub | features.MarkdownNoHTML)
        set_marked(document)
        self._set_blocks()
        self._fit()
        self.setAccessibleDescription(self.written())

    def _placed(self, latex: str) -> str:
        """What holds a formula's place until it is drawn."""
        if formula_size(latex, 1.0).isEmpty():
            return formulas.block(latex)
        self._formulas.append(latex)
        # Qt repeats the image for every letter of its description: it gets one, the words later.
        return f"\n\n![f]({FORMULA}{len(self._formulas) - 1})\n\n"

    def _measure(self) -> int:
        """How wide the text is set."""
        longest = round(self.fontMetrics().averageCharWidth() * LONGEST_LINE)
        return min(self.viewport().width(), longest)

    def _set_formula(self, cursor: QTextCursor, shape: QTextImageFormat) -> None:
        """Draws a formula as large as the text, smaller where the column is narrow."""
        latex = self._formulas[int(shape.name().removeprefix(FORMULA))]
        pixels = QFontMetricsF(self.font()).height() * 0.95
        size = formula_size(latex, pixels)
        room = self._measure() - INDENT - 2
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

    def _formula_in(self, block: QTextBlock) -> bool:
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
                self._set_formula(cursor, shape)
                return True
            parts += 1
        return False

    def _set_blocks(self) -> None:
        block = self.document().begin()
        while block.isValid():
            cursor = QTextCursor(block)
            layout = QTextBlockFormat(block.blockFormat())
            code = layout.hasProperty(QTextBlockFormat.Property.BlockCodeFence) or (
                layout.hasProperty(QTextBlockFormat.Property.BlockCodeLanguage)
            )
            layout.setLineHeight(128, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
            layout.setTopMargin(0)
            layout.setBottomMargin(UNIT)
            style = QTextCharFormat()
            if self._formula_in(block):
                layout.setLeftMargin(INDENT)
                layout.setTopMargin(UNIT // 2)
                layout.setBottomMargin(UNIT * 1.5)
                layout.setLineHeight(0, QTextBlockFormat.LineHeightTypes.SingleHeight.value)
            elif layout.headingLevel():
                layout.setTopMargin(UNIT if block.position() else 0)
                layout.setBottomMargin(UNIT // 2)
                style.setFont(scaled_font(self.font(), 1.05, bold=True))
            elif code:
                layout.setLeftMargin(INDENT)
                following = block.next().blockFormat()
                if following.hasProperty(QTextBlockFormat.Property.BlockCodeFence):
                    layout.setBottomMargin(0)  # the lines of one formula stay together
                font, fits = self._code_font(block.text())
                layout.setNonBreakableLines(fits)
                style.setFont(font)
            cursor.setBlockFormat(layout)
            if not style.isEmpty():
                cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
                cursor.mergeCharFormat(style)
            block = block.next()

    def _code_font(self, line: str) -> tuple[QFont, bool]:
        """Fixed pitch, smaller where that keeps a line whole; and whether it does."""
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(self.font().pointSizeF() if self.font().pointSizeF() > 0 else 9.5)
        room = self._measure() - INDENT - 2
        wide = QFontMetricsF(font).horizontalAdvance(line)
        scale = room / wide if wide and room > 0 else 1.0
        fits = scale >= LEAST_SCALE
        return scaled_font(font, min(1.0, scale)) if fits else font, fits

    def _fit(self) -> None:
        self.document().setTextWidth(self._measure())
        height = max(1, round(self.document().size().height()) + 1) + 2 * RING
        if height != self.height():
            self.setFixedHeight(height)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.Paint and self.hasFocus():  # around the text, not over it
            with QPainter(self) as painter:
                painter.setPen(self.palette().highlight().color())
                painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        return done

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._set_blocks()
            self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange) and self._markdown:
            self._render()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        known = (QKeySequence.StandardKey.Copy, QKeySequence.StandardKey.SelectAll)
        if any(map(event.matches, known)):
            super().keyPressEvent(event)
        else:
            event.ignore()  # the page scrolls, as with the wheel

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page scrolls, not the text in it
