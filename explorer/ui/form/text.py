"""The editor of free text, and of everything that can be typed as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.param_forms import parse
from explorer.ui.form.editor import Editor
from explorer.ui.widgets.field import Field
from explorer.ui.widgets.small_widgets import Flash

if TYPE_CHECKING:
    from PySide6.QtCore import QObject

    from explorer.core.params import Parameter


class TextEditor(Editor):
    """Free words; several are parted by commas."""

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parameter, parent)
        self.field = Field()
        self.field.setMaxLength(2000)
        self.field.setPlaceholderText(parameter.meta.help.partition(". ")[0].rstrip("."))
        self.field.editingFinished.connect(self._finish)
        self._flash = Flash(self.field)
        self._value: Any = None
        self.below = self.field

    def show_value(self, value: Any) -> None:
        self._value = value
        self.field.setText(self.text(value) if value is not None else "")
        self.field.setCursorPosition(0)

    def text(self, value: Any) -> str:
        return ", ".join(value) if isinstance(value, tuple) else str(value)

    def read(self, text: str) -> Any:
        """The value that `text` stands for.

        Raises:
            ExplorerError: When it is none.
        """
        return parse(self.parameter, text)

    def _finish(self) -> None:
        text = self.field.text().strip()
        if self._value is not None and text == self.text(self._value):
            return  # a field that was only looked at changes nothing
        try:
            value = self.read(text)
        except ExplorerError as error:
            self._flash.show()
            self.field.setToolTip(f"{error.message} {error.hint}".strip())
            self.show_value(self._value)
            return
        before = self._value
        self.show_value(value)
        if value != before:
            self.edited.emit(value)
