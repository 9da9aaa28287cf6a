"""The guide: the Markdown pages of `resources/guide` in a window of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from explorer.core.resources import resource_path
from explorer.ui.formulas.browser import FormulaBrowser, one_edit
from explorer.ui.formulas.inline import set_marked
from explorer.ui.widgets.fonts import fixed_font, scaled_font
from explorer.ui.widgets.small_widgets import UNIT, IconButton, blend

if TYPE_CHECKING:
    from pathlib import Path

PAGES = (
    "first-steps", "folders", "train-a-detector", "python", "glossary", "architecture",
    "add-a-view", "add-a-network",
)  # fmt: skip
"""In the order of the list: pages for users first, for developers last."""


class Page(FormulaBrowser):
    """One page at a time; links between pages work, web addresses open in the browser."""

    def __init__(self) -> None:
        super().__init__()
        self._markdown = ""
        self.setOpenLinks(False)
        self.setAccessibleName(self.tr("Page of the guide"))
        self.document().setDocumentMargin(UNIT * 2)
        self.anchorClicked.connect(self.follow)
        self.sourceChanged.connect(self.loaded)

    def follow(self, address: QUrl) -> None:
        """Where a link leads: another page, a heading of this one, or the web."""
        if address.scheme() in ("http", "https"):
            QDesktopServices.openUrl(address)
        else:
            self.open(self.source().resolved(address))

    def open(self, address: QUrl) -> None:
        """Reads a page and sets it to be read; with a fragment, from that heading on."""
        self.setSource(address, QTextDocument.ResourceType.MarkdownResource)

    def loadResource(self, kind: int, address: QUrl | str) -> object:
        """A page gets places for its formulas."""
        found = super().loadResource(kind, address)
        if kind == QTextDocument.ResourceType.MarkdownResource.value and found is not None:
            self._markdown = bytes(found.data()).decode("utf-8")
            return self.with_places(self._markdown)
        return found

    def loaded(self, address: QUrl) -> None:
        """A page has been read, by a link, the list or the way back."""
        with one_edit(self.document()):
            set_marked(self.document())
        self._set_blocks()
        self.ask(self._markdown)
        if address.hasFragment():
            self.scroll_to(address.fragment())

    def scroll_to(self, anchor: str) -> None:
        """To the heading that GitHub would give this anchor."""
        block = self.document().begin()
        while block.isValid():
            if block.blockFormat().headingLevel() and anchor_of(block.text()) == anchor:
                top = self.document().documentLayout().blockBoundingRect(block).top()
                self.verticalScrollBar().setValue(int(top))
                return
            block = block.next()

    def render_again(self) -> None:
        if self.source().isEmpty():
            return
        # Code between words has its size and color from when the page was read.
        place = self.verticalScrollBar().value()
        self.reload()
        self.verticalScrollBar().setValue(place)

    def room(self) -> float:
        return self.viewport().width() - 2 * self.document().documentMargin() - UNIT

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._set_blocks()  # formulas fit

    def _set_blocks(self) -> None:
        with one_edit(self.document()):
            self._set_each_block()

    def _set_each_block(self) -> None:
        palette = self.palette()
        shade = blend(palette.text().color(), palette.base().color(), 0.06)
        fixed = fixed_font(self.font())
        block = self.document().begin()
        while block.isValid():
            cursor = QTextCursor(block)
            layout = QTextBlockFormat(block.blockFormat())
            style = QTextCharFormat()
            fence = QTextFormat.Property.BlockCodeFence
            if self.draw_formula(block):
                layout.setLeftMargin(UNIT)
                layout.setBottomMargin(UNIT * 1.5)
            elif layout.hasProperty(fence):
                layout.setBackground(shade)
                layout.setLeftMargin(UNIT)
                after = block.next().blockFormat()
                layout.setBottomMargin(0 if after.hasProperty(fence) else UNIT * 1.5)
                style.setFont(fixed)
            elif layout.headingLevel():
                layout.setTopMargin(UNIT * 2 if block.position() else 0)
                layout.setBottomMargin(UNIT)
                size = {1: 1.6, 2: 1.25}.get(layout.headingLevel(), 1.05)
                style.setFont(scaled_font(self.font(), size, bold=True))
            elif block.textList() is None and cursor.currentTable() is None:
                layout.setBottomMargin(UNIT)
            cursor.setBlockFormat(layout)
            if not style.isEmpty():
                cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
                cursor.mergeCharFormat(style)
            block = block.next()


class GuideWindow(QDialog):
    """Pages on the left, the page on the right; Esc closes, Alt+Left goes back."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Guide"))
        self.setModal(False)
        self.resize(UNIT * 142, UNIT * 96)  # a line of code fits
        self.page = Page()
        self.pages = QListWidget()
        self.pages.setAccessibleName(self.tr("Pages of the guide"))
        self.pages.setSpacing(UNIT // 4)
        self.pages.setFrameShape(QFrame.Shape.NoFrame)
        for name in PAGES:
            path = page_path(name)
            item = QListWidgetItem(title_of(path))
            item.setData(Qt.ItemDataRole.UserRole, QUrl.fromLocalFile(str(path)).toString())
            self.pages.addItem(item)
        self._fit_list()
        self.back = IconButton("previous", self.tr("Back (Alt+Left)"))
        self.forward = IconButton("next", self.tr("Forward (Alt+Right)"))
        self.back.clicked.connect(self.page.backward)
        self.forward.clicked.connect(self.page.forward)
        for button in (self.back, self.forward):
            button.setEnabled(False)
        self.page.backwardAvailable.connect(self.back.setEnabled)
        self.page.forwardAvailable.connect(self.forward.setEnabled)
        self.page.sourceChanged.connect(self._mark)
        self.pages.currentItemChanged.connect(self._chosen)
        for keys, act in (
            (QKeySequence.StandardKey.Back, self.page.backward),
            (QKeySequence.StandardKey.Forward, self.page.forward),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(act)
        head = QHBoxLayout()
        head.addWidget(self.back)
        head.addWidget(self.forward)
        head.addStretch(1)
        left = QVBoxLayout()
        left.addLayout(head)
        left.addWidget(self.pages, 1)
        layout = QHBoxLayout(self)
        layout.addLayout(left)
        layout.addWidget(self.page, 1)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            QTimer.singleShot(0, self, self._fit_list)  # the list gets it after this

    def _fit_list(self) -> None:
        """As wide as the longest title."""
        self.pages.setFixedWidth(self.pages.sizeHintForColumn(0) + UNIT * 3)

    def show_page(self, name: str = "") -> None:
        """Opens the page `name`, by default the one that was read last."""
        if name or self.page.source().isEmpty():
            self.pages.setCurrentRow(PAGES.index(name or PAGES[0]))
        self.show()
        self.raise_()
        self.activateWindow()
        self.page.setFocus(Qt.FocusReason.PopupFocusReason)

    def _chosen(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.page.open(QUrl(item.data(Qt.ItemDataRole.UserRole)))

    def _mark(self, source: QUrl) -> None:
        """The list follows links and the way back."""
        shown = source.toString().partition("#")[0]
        with QSignalBlocker(self.pages):
            for row in range(self.pages.count()):
                if self.pages.item(row).data(Qt.ItemDataRole.UserRole) == shown:
                    self.pages.setCurrentRow(row)


def page_path(name: str) -> Path:
    """The file of a page."""
    return resource_path("guide", f"{name}.md")


def title_of(path: Path) -> str:
    """A page's first heading."""
    with path.open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").strip()


def anchor_of(heading: str) -> str:
    """What GitHub makes of a heading: small letters, dashes, no other signs."""
    kept = (letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return "".join(kept).replace(" ", "-")
