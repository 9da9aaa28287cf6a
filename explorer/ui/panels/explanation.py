"""A view's explanation: Markdown set to be read, as high as its text, without a scroll bar."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import (
    QFocusEvent,
    QFont,
    QFontDatabase,
    QFontMetricsF,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QResizeEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy

from explorer.ui.formulas.browser import FormulaBrowser, one_edit
from explorer.ui.formulas.inline import set_marked
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


class Explanation(FormulaBrowser):
    """Shows Markdown with formulas."""

    def __init__(self) -> None:
        super().__init__()
        self._markdown = ""
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
        self.render_again()
        self.ask(text)

    def sizeHint(self) -> QSize:
        return QSize(240, max(1, round(self.document().size().height())))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 1)

    def render_again(self) -> None:
        document = self.document()
        features = QTextDocument.MarkdownFeature
        document.clear()
        text = self.with_places(self._markdown)
        document.setMarkdown(text, features.MarkdownDialectGitHub | features.MarkdownNoHTML)
        with one_edit(document):
            set_marked(document)
        self._set_blocks()
        self._fit()
        self.setAccessibleDescription(self.written())

    def room(self) -> float:
        return self._measure() - INDENT - 2

    def _measure(self) -> int:
        """How wide the text is set."""
        longest = round(self.fontMetrics().averageCharWidth() * LONGEST_LINE)
        return min(self.viewport().width(), longest)

    def _set_blocks(self) -> None:
        with one_edit(self.document()):
            self._set_each_block()

    def _set_each_block(self) -> None:
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
            if self.draw_formula(block):
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
        room = self.room()
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

    def keyPressEvent(self, event: QKeyEvent) -> None:
        known = (QKeySequence.StandardKey.Copy, QKeySequence.StandardKey.SelectAll)
        if any(map(event.matches, known)):
            super().keyPressEvent(event)
        else:
            event.ignore()  # the page scrolls, as with the wheel

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page scrolls, not the text in it
