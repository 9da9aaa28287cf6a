"""Editors of parameters that name something else: a photo, networks, a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from explorer.core.values import FolderRef, ImageRef, NetworkRef
from explorer.ui.form.around import Around
from explorer.ui.form.choices import Combo, SubsetBox
from explorer.ui.form.editor import Editor
from explorer.ui.widgets.field import Field
from explorer.ui.widgets.small_widgets import UNIT, IconButton

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from explorer.core.params import Parameter

MOST_PHOTOS = 500
"""Of the strip that the list offers; any other one is opened by its file."""


class OneOf(Editor):
    """A list to choose one from, and a button for what is not in it."""

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self._value: Any = None
        self.around = Around()
        self.box = Combo()
        self.box.activated.connect(self._chosen)
        self.below = QWidget()
        self.line = QHBoxLayout(self.below)
        self.line.setContentsMargins(0, 0, 0, 0)
        self.line.setSpacing(UNIT // 2)
        self.line.addWidget(self.box, 1)

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        return (self.box,)

    def offered(self) -> list[Any]:
        """What can be chosen."""
        raise NotImplementedError

    def set_around(self, around: Around) -> None:
        self.around = around
        self._fill()

    def show_value(self, value: Any) -> None:
        self._value = value
        self._fill()

    def take(self, value: Any) -> None:
        """The user has chosen `value`."""
        if value != self._value:
            self.show_value(value)
            self.edited.emit(value)

    def _fill(self) -> None:
        values = [None] if self.parameter.optional else []
        values += self.offered()
        if self._value is not None and self._value not in values:
            values.append(self._value)
        self._values = values
        blocked = self.box.blockSignals(True)
        self.box.clear()
        self.box.addItems([self.text(value) for value in values])
        self.box.setCurrentIndex(values.index(self._value) if self._value in values else -1)
        self.box.setEnabled(bool(values))
        self.box.blockSignals(blocked)
        self.box.setToolTip(self.text(self._value))

    def _chosen(self, row: int) -> None:
        self.take(self._values[row])


class ImageEditor(OneOf):
    """A photo of the filmstrip, a sample, or any file."""

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self.open = IconButton("open", self.tr("Open a photo for this setting"))
        self.open.clicked.connect(self._open)
        self.line.addWidget(self.open)

    def offered(self) -> list[Any]:
        return [ImageRef(source) for source, _ in self.around.photos[:MOST_PHOTOS]]

    def text(self, value: Any) -> str:
        if value is None:
            return self.tr("none")
        titles = dict(self.around.photos)
        return str(titles.get(value.source) or Path(value.source).name)

    def _open(self) -> None:
        start = self._value.source if self._value is not None else ""
        title = self.tr("Open a photo: {what}").format(what=self.parameter.meta.title)
        path, _ = QFileDialog.getOpenFileName(self.below, title, start)
        if path:
            self.take(ImageRef(path))


class NetworkEditor(OneOf):
    """A network of the catalog whose weights are available."""

    def offered(self) -> list[Any]:
        return [NetworkRef(name) for name in titles(self.parameter, self.around)]

    def text(self, value: Any) -> str:
        return self.tr("none") if value is None else title_of(value, self.around)


class NetworksEditor(Editor):
    """Several of them."""

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self._around = Around()
        self._value: tuple[NetworkRef, ...] = ()
        self._refs: dict[str, NetworkRef] = {}
        self.box = NamesBox()
        self.box.picked.connect(self._picked)
        self.below = self.box

    def set_around(self, around: Around) -> None:
        self._around = around
        self._fill()

    def show_value(self, value: Any) -> None:
        self._value = tuple(value)
        self._fill()

    def text(self, value: Any) -> str:
        return ", ".join(title_of(ref, self._around) for ref in value) or self.tr("none")

    def _fill(self) -> None:
        refs = [NetworkRef(name) for name in titles(self.parameter, self._around)]
        refs += [ref for ref in self._value if ref not in refs]
        self._refs = {title_of(ref, self._around): ref for ref in refs}
        self.box.set_words(tuple(self._refs), {})
        self.box.show_words(tuple(title_of(ref, self._around) for ref in self._value))

    def _picked(self, words: tuple[str, ...]) -> None:
        most = self.parameter.meta.most
        self._value = tuple(self._refs[word] for word in words)[:most]
        self._fill()
        self.edited.emit(self._value)


class NamesBox(SubsetBox):
    """A subset whose empty one is nothing."""

    def shown_text(self) -> str:
        return ", ".join(self.chosen) or self.tr("none")


class FolderEditor(Editor):
    """The path of a folder: typed, or chosen in a dialog."""

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self._value: FolderRef | None = None
        self.field = Field()
        self.field.setPlaceholderText(self.tr("No folder"))
        self.field.setClearButtonEnabled(parameter.optional)
        self.field.editingFinished.connect(self._typed)
        self.choose = IconButton("folder", self.tr("Choose a folder"))
        self.choose.clicked.connect(self._choose)
        self.below = QWidget()
        line = QHBoxLayout(self.below)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(UNIT // 2)
        line.addWidget(self.field, 1)
        line.addWidget(self.choose)

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        return (self.field,)

    def show_value(self, value: Any) -> None:
        self._value = value
        self.field.setText("" if value is None else value.path)
        self.field.setToolTip(self.field.text())

    def text(self, value: Any) -> str:
        return self.tr("none") if value is None else str(value.path)

    def _typed(self) -> None:
        path = self.field.text().strip()
        if not path and not self.parameter.optional:
            self.show_value(self._value)
            return
        self._take(FolderRef(path) if path else None)

    def _choose(self) -> None:
        start = self._value.path if self._value is not None else ""
        title = self.tr("Choose a folder: {what}").format(what=self.parameter.meta.title)
        path = QFileDialog.getExistingDirectory(self.below, title, start)
        if path:
            self._take(FolderRef(path))

    def _take(self, value: FolderRef | None) -> None:
        before = self._value
        self.show_value(value)
        if value != before:
            self.edited.emit(value)


def titles(parameter: Parameter, around: Around) -> dict[str, str]:
    """Name and title of the networks that the parameter takes and that need no download."""
    tasks = parameter.meta.tasks
    return {
        entry.name: entry.title
        for entry in around.networks
        if (not tasks or entry.task in tasks) and entry.state in ("shipped", "cached", "local")
    }


def title_of(ref: NetworkRef, around: Around) -> str:
    """The catalog's title, with the weights where they are not the best available."""
    title = next((e.title for e in around.networks if e.name == ref.name), ref.name)
    return f"{title} ({Path(ref.weights).name})" if ref.weights else title
