"""From a board to the pixels of a film's frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from explorer.core.layers import Board, UInt8

LONGEST_SIDE = 1280
"""Of a rendered frame: more would cost more than it shows."""


def filmed_part(board: Board, *, whole: bool) -> Board:
    """What of a board a film shows: all its panes or the first one, without the words around.

    It can be packed: what a pane says under the mouse, which is a function, is not part of it.
    """
    panes = board.panes if whole else board.panes[:1]
    still = tuple(replace(pane, readout=None) for pane in panes)
    return replace(board, panes=still, plots=(), tables=(), notes=(), summary="")


def rendered(board: Board) -> UInt8:
    """The first pane of a board with everything that is drawn on it."""
    from explorer.render.board import render_pane

    pane = board.panes[0]
    return render_pane(pane, scale=min(1.0, LONGEST_SIDE / max(pane.size)))


def rendered_whole(board: Board, width: int = 0) -> UInt8:
    """All panes of a board beside each other, as the window shows views beside the main one.

    Args:
        board: What to paint; its plots, tables and words are not drawn.
        width: Of the frame in pixels; 0 = that of the panes, as far as a film is as large.
    """
    from explorer.render.board import render_board

    whole = sum(pane.size[0] for pane in board.panes)
    share = min(1.0, LONGEST_SIDE / max(whole, *(pane.size[1] for pane in board.panes)))
    panes = filmed_part(board, whole=True)
    return render_board(panes, width=width or round(whole * share), theme="dark")
