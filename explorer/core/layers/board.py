"""The board: panes of layers side by side, plots and tables below."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from explorer.core.layers.arrays import Heat, Masks, Picture
from explorer.core.layers.shapes import Boxes, Grid, Lines, Points, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from explorer.core.layers.charts import Plot, Table

Layer = Picture | Heat | Boxes | Masks | Points | Lines | Grid | Text


@dataclass(frozen=True, slots=True)
class Link:
    """Another view, which a click on a pane opens in the window; files do not have it.

    Attributes:
        view: Its name.
        params: Values of its parameters; the others stay as they were used last.
        words: What the click does, in a few words.
    """

    view: str
    params: Mapping[str, Any]
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Pane:
    """One image-like surface.

    Attributes:
        name: Stable within a view ("image", "mosaic"): zoom and pan are kept per name.
        size: Width and height of the frame that is fitted into the window.
        frame: "image" when coordinates are the photo's own pixels; picks are taken in such panes.
            Panes with an equal frame pan and zoom together. Any other word is a frame of its own.
        readout: ``(x, y) -> str`` for the status bar under the mouse, in the pane's frame. Pure and
            cheap. Without it the values of the topmost Picture, Heat or Masks are shown.
        link: Where a click on it leads.
        drawing: It is drawn on plain ground, which is light or dark as everything around it.
    """

    name: str
    size: tuple[float, float]
    layers: tuple[Layer, ...] = ()
    title: str = ""
    frame: str = "image"
    readout: Callable[[float, float], str] | None = None
    link: Link | None = None
    drawing: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """What a view shows: panes side by side, plots and tables below, one line of summary, notes.

    `notes` are sentences that must not be missed (an untrained network, a damaged photo). `idle`
    names parameters of the view that change nothing with this result: a form leaves them out.
    """

    panes: tuple[Pane, ...]
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    summary: str = ""
    notes: tuple[str, ...] = field(default=())
    idle: tuple[str, ...] = ()

    def pane(self, name: str) -> Pane:
        return next(pane for pane in self.panes if pane.name == name)

    def boxes(self, name: str) -> Boxes | None:
        """The first Boxes layer called `name` in any pane."""
        for pane in self.panes:
            for layer in pane.layers:
                if isinstance(layer, Boxes) and layer.name == name:
                    return layer
        return None


def joined(main: Board, title: str, others: Sequence[tuple[str, str, Board]]) -> Board:
    """The main board with the first pane of each of the others beside its own panes.

    Args:
        main: Its plots, tables and summary stay; its first pane gets `title` before its own.
        title: Of the main board.
        others: Name, title and board of each; the names keep their panes apart.
    """
    panes = [_titled(pane, "" if at else title) for at, pane in enumerate(main.panes)]
    notes = list(main.notes)
    for name, words, board in others:
        panes += [replace(_titled(p, words), name=f"{name} {p.name}") for p in board.panes[:1]]
        notes += [note for note in board.notes if note not in notes]
    return replace(main, panes=tuple(panes), notes=tuple(notes))


def _titled(pane: Pane, title: str) -> Pane:
    return replace(pane, title=" · ".join(word for word in (title, pane.title) if word))


UNTRAINED = "UNTRAINED"


def stamped(board: Board, words: str) -> Board:
    """The same board with `words` written in the corner of every pane."""
    mark = Text(words, (0.0, 0.0), color=(255, 196, 0), size=13.0, name="stamp")
    panes = tuple(replace(pane, layers=(*pane.layers, mark)) for pane in board.panes)
    return replace(board, panes=panes)
