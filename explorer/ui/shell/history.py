"""What the user changes, with undo: one entry per change of a parameter, a slider drag in one.

Every photo has a history of its own in every view: undo never leaves what is shown.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoGroup, QUndoStack

from explorer.core.params import Kind, Mask, Pick, parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.ui.board.board import BoardView
    from explorer.ui.form.form import Form
    from explorer.ui.study.study import Study

MERGE_SECONDS = 1.0
MOST_ENTRIES = 200
MOST_HISTORIES = 100


class Edits(QObject):
    """Carries what is changed in the form or on the canvas into the study, and remembers it.

    Attributes:
        group: Undo and redo of the photo and the view that are shown.

    Signals:
        edited: The user has changed a parameter.
    """

    edited = Signal()

    def __init__(self, study: Study, form: Form, board: BoardView, parent: QObject) -> None:
        super().__init__(parent)
        self._study, self._form, self._board = study, form, board
        self._stroke: Any = None  # the parameters before the stroke that is being painted
        self.group = QUndoGroup(self)
        self._stacks: OrderedDict[tuple[str, str], QUndoStack] = OrderedDict()
        form.changed.connect(self._form_changed)
        board.picked.connect(self._picked)
        study.subject_changed.connect(self._turn_to)

    def _turn_to(self) -> None:
        """The history of what is shown now becomes the one that undo walks."""
        study = self._study
        if study.view is None:
            return
        place = (study.image.key if study.image is not None else "", study.view.name)
        stack = self._stacks.get(place)
        if stack is None:
            stack = self._stacks[place] = QUndoStack(self.group)
            stack.setUndoLimit(MOST_ENTRIES)
        self._stacks.move_to_end(place)
        self.group.setActiveStack(stack)
        while len(self._stacks) > MOST_HISTORIES:
            _, oldest = self._stacks.popitem(last=False)
            self.group.removeStack(oldest)
            oldest.deleteLater()

    def _form_changed(self, params: object, effect: object) -> None:
        self._push(params)
        self._study.set_params(params)
        params = self._study.params
        if params is not None:
            names = [p.name for p in parameters(type(params)) if p.meta.pick is not Pick.NONE]
            self._board.set_pick_values({name: getattr(params, name) for name in names})
        self.edited.emit()

    def _picked(self, name: str, value: object) -> None:
        before = self._study.params
        if before is None or not hasattr(before, name):
            return
        after = replace(before, **{name: value})
        parameter = next(p for p in parameters(type(after)) if p.name == name)
        if parameter.kind is Kind.MASK:
            self._painted(before, after)
        elif after == before:
            return
        elif parameter.meta.pick not in (Pick.HOVER, Pick.SELECT):
            self._push(after)
        self._study.set_params(after)
        self._form.set_params(after)
        self.edited.emit()

    def _painted(self, before: Any, after: Any) -> None:
        """A stroke is one entry, however many updates it sends."""
        if self._stroke is None:
            self._stroke = before
        if not self._board.dragging:
            start, self._stroke = self._stroke, None
            self._push(after, start if type(start) is type(after) else before)

    def _push(self, after: Any, before: Any = None) -> None:
        study = self._study
        before = study.params if before is None else before
        if study.view is None or type(before) is not type(after) or before == after:
            return
        self.group.activeStack().push(
            ParamsCommand(before, after, study.put_params, study.view.title)
        )


class ParamsCommand(QUndoCommand):
    """Goes from `before` to `after` and back; what it has not changed stays as it is meanwhile.

    Args:
        before: The parameters as they were.
        after: The parameters as the user made them; they are in force already.
        show: Puts values in force, by the names of their parameters.
        text: For the menu.
    """

    def __init__(
        self, before: Any, after: Any, show: Callable[[dict[str, Any]], None], text: str
    ) -> None:
        super().__init__(text)
        self._before, self._after, self._show = before, after, show
        self._names = changed_names(before, after)
        self._when = time.monotonic()
        self._fresh = True

    def id(self) -> int:
        return 1

    def redo(self) -> None:
        if self._fresh:  # pushing a command redoes it, but the change is already there
            self._fresh = False
            return
        self._show(self._values(self._after))

    def undo(self) -> None:
        self._show(self._values(self._before))

    def _values(self, params: Any) -> dict[str, Any]:
        return {name: getattr(params, name) for name in self._names}

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, ParamsCommand):
            return False
        same = other._names == self._names and len(self._names) == 1
        # A list that grows or shrinks is a step of its own; its entries are moved in one.
        same = same and _length(other._before, self._names) == _length(other._after, self._names)
        if any(isinstance(getattr(self._after, name), Mask) for name in self._names):
            return False  # every stroke is an entry of its own
        if not same or other._when - self._when > MERGE_SECONDS:
            return False
        self._after, self._when = other._after, other._when
        return True


def changed_names(before: Any, after: Any) -> tuple[str, ...]:
    """The parameters in which two sets of the same kind differ."""
    return tuple(
        entry.name
        for entry in fields(after)
        if getattr(before, entry.name) != getattr(after, entry.name)
    )


def _length(params: Any, names: tuple[str, ...]) -> int:
    values = (getattr(params, name) for name in names)
    return sum(len(value) for value in values if isinstance(value, tuple))
