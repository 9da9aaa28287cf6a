"""A view's explanation: Markdown set to be read, as high as its text, without a scroll bar."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import (
    QFont,
    QFontDatabase,
    QFontMetricsF,
    QResizeEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser

from explorer.ui.widgets.small_widgets import UNIT, scaled_font

CODE_INDENT = UNIT * 2


class Explanation(QTextBrowser):
    """Shows Markdown; formulas are the indented or fenced blocks."""

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
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.document().setDocumentMargin(0)
        self.setAccessibleName(self.tr("Explanation of the view"))

    def show_markdown(self, text: str) -> None:
        self._markdown = text
        self._render()

    def sizeHint(self) -> QSize:
        return QSize(240, max(1, round(self.document().size().height())))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 1)

    def _render(self) -> None:
        document = self.document()
        features = QTextDocument.MarkdownFeature
        document.setMarkdown(
            self._markdown, features.MarkdownDialectGitHub | features.MarkdownNoHTML
        )
        self._set_blocks()
        self._fit()

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
            if layout.headingLevel():
                layout.setTopMargin(UNIT if block.position() else 0)
                layout.setBottomMargin(UNIT // 2)
                style.setFont(scaled_font(self.font(), 1.05, bold=True))
            elif code:
                layout.setLeftMargin(CODE_INDENT)
                layout.setNonBreakableLines(False)
                following = block.next().blockFormat()
                if following.hasProperty(QTextBlockFormat.Property.BlockCodeFence):
                    layout.setBottomMargin(0)  # the lines of one formula stay together
                style.setFont(self._code_font(block.text()))
            cursor.setBlockFormat(layout)
            if not style.isEmpty():
                cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
                cursor.mergeCharFormat(style)
            block = block.next()

    def _code_font(self, line: str) -> QFont:
        """Fixed pitch, a little smaller where that keeps a formula on one line."""
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(self.font().pointSizeF() if self.font().pointSizeF() > 0 else 9.5)
        room = self.viewport().width() - CODE_INDENT - 2
        wide = QFontMetricsF(font).horizontalAdvance(line)
        return scaled_font(font, min(1.0, room / wide)) if wide and room > 0.8 * wide else font

    def _fit(self) -> None:
        self.document().setTextWidth(self.viewport().width())
        height = max(1, round(self.document().size().height()) + 1)
        if height != self.height():
            self.setFixedHeight(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._set_blocks()
            self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange) and self._markdown:
            self._render()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page scrolls, not the text in it
