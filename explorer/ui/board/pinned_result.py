"""One result is pinned as A; whatever comes next is B and is compared with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from explorer.core.layers import Board
    from explorer.ui.board.board import BoardView

SPLIT, WIPE = "split", "wipe"
LONGEST = 22

Subject = tuple[str, ...]
"""What is compared, the most telling word first: photo, view, network."""


def labels(one: Subject, other: Subject) -> tuple[str, str]:
    """Short names of A and B: the first thing in which they differ."""
    for first, second in zip(one, other, strict=False):
        if first != second:
            return f"A  {_short(first)}", f"B  {_short(second)}"
    return "A  before", "B  now"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


class PinnedResult(QObject):
    """Keeps the pinned board and tells the board view.

    Signals:
        changed: Something is pinned, or no longer.
    """

    changed = Signal(bool)

    def __init__(self, view: BoardView, mode: str, parent: QObject) -> None:
        super().__init__(parent)
        self._view = view
        self._mode = mode
        self._pinned: Board | None = None
        self._subject: Subject = ()

    @property
    def there(self) -> bool:
        """Something is pinned."""
        return self._pinned is not None

    @property
    def mode(self) -> str:
        return self._mode

    def pin(self, board: Board | None, subject: Subject) -> None:
        """Makes `board` the A of every later comparison; `subject` describes it."""
        self._pinned, self._subject = board, subject
        if board is None:
            self._view.set_reference(None)
        self.changed.emit(board is not None)

    def clear(self) -> None:
        if self._pinned is not None:
            self.pin(None, ())

    def set_mode(self, mode: str) -> None:
        self._mode = mode

    def switch_mode(self) -> str:
        """From wipe to split and back; the new mode."""
        self._mode = SPLIT if self._mode == WIPE else WIPE
        return self._mode

    def show(self, board: Board | None, subject: Subject) -> None:
        """Compares `board`, the B, with what is pinned; A itself is shown plain."""
        if self._pinned is None or board is None:
            return
        # An unchanged subject is A itself: a wipe over two equal pictures would only puzzle.
        same = board is self._pinned
        reference = None if same else self._pinned
        mode = SPLIT if self._mode == SPLIT else WIPE
        self._view.set_reference(reference, mode, labels(self._subject, subject))  # type: ignore[arg-type]

    def comparable(self, board: Board) -> bool:
        """True when A and `board` have a pane in common."""
        if self._pinned is None:
            return False
        return bool(
            {pane.name for pane in self._pinned.panes} & {pane.name for pane in board.panes}
        )
