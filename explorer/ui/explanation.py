"""A view's explanation: Markdown set to be read, as high as its text, without a scroll bar."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import (
    QFontDatabase,
    QResizeEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser

from explorer.ui.bits import UNIT, line_color, scaled_font


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
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        block = self.document().begin()
        while block.isValid():
            cursor = QTextCursor(block)
            layout = QTextBlockFormat(block.blockFormat())
            code = layout.hasProperty(QTextBlockFormat.Property.BlockCodeFence) or (
                layout.hasProperty(QTextBlockFormat.Property.BlockCodeLanguage)
            )
            layout.setLineHeight(130, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
            layout.setTopMargin(0)
            layout.setBottomMargin(UNIT)
            if layout.headingLevel():
                layout.setTopMargin(UNIT if block.position() else 0)
                layout.setBottomMargin(UNIT // 2)
            if code:
                layout.setBackground(line_color(self.palette()))
                layout.setNonBreakableLines(False)
            cursor.setBlockFormat(layout)
            cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
            if layout.headingLevel():
                style = QTextCharFormat()
                style.setFont(scaled_font(self.font(), 1.05, bold=True))
                cursor.mergeCharFormat(style)
            elif code:
                style = QTextCharFormat()
                style.setFontFamilies([fixed.family()])
                cursor.mergeCharFormat(style)
            block = block.next()

    def _fit(self) -> None:
        self.document().setTextWidth(self.viewport().width())
        height = max(1, round(self.document().size().height()) + 1)
        if height != self.height():
            self.setFixedHeight(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange) and self._markdown:
            self._render()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page scrolls, not the text in it
