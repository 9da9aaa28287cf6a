"""The base of what edits one parameter of a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from explorer.core.params import Parameter, validated

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from explorer.core.network_info import NetworkInfo
    from explorer.ui.form.around import Around


class Editor(QObject):
    """What edits one parameter.

    Attributes:
        beside: The widget right of the title, or None.
        below: The widget under the title, or None.

    Signals:
        edited: The new value, valid, made by the user.
    """

    edited = Signal(object)

    def __init__(self, parameter: Parameter, parent: QObject) -> None:
        super().__init__(parent)
        self.parameter = parameter
        self.beside: QWidget | None = None
        self.below: QWidget | None = None

    def show_value(self, value: Any) -> None:
        """Shows `value` without a signal."""
        raise NotImplementedError

    def set_info(self, info: NetworkInfo | None) -> None:
        """Takes over the choices that the network gives."""

    def set_around(self, around: Around) -> None:
        """Takes over what is there to choose from."""

    def text(self, value: Any) -> str:
        """`value` in words, for the reset dot."""
        return str(value)

    def accepts(self, value: Any) -> Any:
        """The valid value nearest to `value`.

        Raises:
            ExplorerError: When there is none.
        """
        return validated(self.parameter, value)

    def snapped(self, value: Any) -> Any:
        """Like `accepts`, as if the value had been chosen by the editor's own slider."""
        return self.accepts(value)

    def set_busy(self, busy: bool) -> None:
        """An answer is computed, or no longer."""

    def ends_at(self, value: float | None) -> None:
        """Beyond `value` nothing changes in what is shown; None where there is no such limit."""

    def stops_at(self, value: float | None) -> None:
        """Beyond `value` there is nothing at all: the slider ends there; None = at its own end."""

    def stop(self) -> None:
        """Ends what moves by itself; the form shows another view or is closed."""

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        return tuple(widget for widget in (self.beside, self.below) if widget is not None)

    @property
    def first(self) -> QWidget | None:
        """Gets the focus when the title is clicked."""
        return next(iter(self.widgets), None)
