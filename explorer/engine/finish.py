"""How an answer is shown, written and described, whoever asks: window, command line, film, script.

A board is finished in one order: what the view draws, the views beside it, the mark of an untrained
network, the notes, and the photo's ground truth. Numbers, pictures and metadata follow from the
same object, so that the same question gives the same files everywhere.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.annotations.truth import truth_of, with_truth
from explorer.core.errors import ExplorerError
from explorer.core.layers import UNTRAINED, joined, stamped
from explorer.core.network_info import file_and_part
from explorer.core.storage.guard import check_outputs
from explorer.core.storage.written import remember
from explorer.engine.recolor import in_chosen_colors
from explorer.engine.references import named_places
from explorer.render import PICTURE_WIDTH
from explorer.render.vector import FONT_SIZE, WIDTH_MM
from explorer.saving.boxes import ImageInfo, boxes_of
from explorer.saving.data import DATA_SUFFIXES, save_data
from explorer.saving.figures import FIGURE_SUFFIXES, is_figure, save_figure
from explorer.saving.metadata import metadata
from explorer.saving.page import PAGE_SUFFIX, save_page
from explorer.saving.pictures import FORMATS, encoded, save_picture

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from explorer.core.layers import Board, Pane, UInt8
    from explorer.engine.answer import Answer, Side
    from explorer.engine.view import View
    from explorer.render.blocks import Theme
    from explorer.render.vector.drawing import Drawing
    from explorer.saving.boxes import LabeledBoxes
    from explorer.saving.masks import IndexedMask

_SUFFIXES = (*sorted(FORMATS), *FIGURE_SUFFIXES, *DATA_SUFFIXES, PAGE_SUFFIX)

FRAME_SIDES = (320, 1280)
"""The longer side of the frames of a film of steps, at least and at most, in pixels."""


class FinishedAnswer:
    """The result of a view, as it is shown and written. `look` and `steps` give these.

    Nothing is drawn or painted before it is asked for, and then only once.

    Attributes:
        done: How many steps of the computation are behind it.
        total: Of how many; 0 when not known.
        note: What the step is, in a few words; may be empty.
    """

    def __init__(
        self,
        answer: Answer,
        params: Any = None,
        sides: Sequence[Side] | None = None,
        *,
        done: int = 1,
        total: int = 1,
        note: str = "",
    ) -> None:
        """Takes an answer that has a result.

        Args:
            answer: What the engine gave.
            params: What it is drawn with; by default what it was computed with.
            sides: The views beside it, in their order; by default those of the answer.
            done: See the class.
            total: See the class.
            note: See the class.
        """
        self.answer = answer
        self.params = answer.params if params is None else params
        self._sides = answer.beside if sides is None else tuple(sides)
        self.done, self.total, self.note = done, total, note

    @property
    def view(self) -> View[Any, Any]:
        """The view that was asked."""
        return self.answer.ask.view

    @property
    def title(self) -> str:
        """View, network and photo in one line."""
        network, image = self.answer.info, self.answer.ask.image
        parts = (self.view.title, network and network.title, image and image.name)
        return " · ".join(part for part in parts if part)

    # -- the board --------------------------------------------------------------------------------

    @cached_property
    def board(self) -> Board:
        """Panes, plots and tables with every note, the ground truth in white on the photo."""
        return with_truth(self.bare, truth_of(self.params))

    @cached_property
    def bare(self) -> Board:
        """The board without the ground truth, which the window's canvas draws with its handles."""
        board = self._with_sides(self.view.draw(self.answer.result, self.params))
        board = in_chosen_colors(board)
        info, image = self.answer.info, self.answer.ask.image
        notes = [*board.notes, *(info.notes if info is not None else ())]
        notes += image.notes if image is not None else ()
        if info is not None and info.untrained:
            board = stamped(board, UNTRAINED)
            marked = [note for note in notes if UNTRAINED in note]
            notes = [*(marked or [info.untrained_note]), *notes]  # what must not be missed
        return replace(board, notes=tuple(dict.fromkeys(notes)))

    def _with_sides(self, board: Board) -> Board:
        """The main view's board with the first pane of every view beside it."""
        if not self._sides:
            return board
        timed = self.answer.shot is not None
        drawn = [
            (side.view.name, _named(side.view, side.seconds, timed),
             side.view.draw(side.result, side.params))
            for side in self._sides if side.result is not None
        ]  # fmt: skip
        found = joined(board, _named(self.view, self.answer.seconds, timed), drawn)
        problems = tuple(side.problem for side in self._sides if side.problem)
        return replace(found, notes=(*found.notes, *problems))

    @property
    def summary(self) -> str:
        """The answer in a line."""
        return self.board.summary

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that must not be missed: an untrained network, a damaged photo."""
        return self.board.notes

    # -- numbers ----------------------------------------------------------------------------------

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """Arrays, tables and plain values by name; the view's own module says shapes and units."""
        if self.view.data is None:
            return self._tables
        return self.view.data(self.answer.result, self.params)

    def data_for(self, path: str | os.PathLike[str]) -> Mapping[str, Any]:
        """What goes into the file `path`: `data`, but for a CSV the tables of the board.

        Tables are made to be read row by row. A board without one leaves a CSV the arrays.
        """
        return (Path(path).suffix.lower() == ".csv" and self._tables) or self.data

    @property
    def _tables(self) -> Mapping[str, Any]:
        return {table.name: table for table in self.bare.tables}

    @property
    def boxes(self) -> LabeledBoxes | None:
        """The boxes among the data, in pixels of the photo; None for a view that finds none."""
        info = self.answer.info
        return boxes_of(self.data, info.classes if info is not None else ())

    @property
    def mask(self) -> IndexedMask | None:
        """What is written as an indexed PNG; None for a view that has no masks."""
        make = self.view.mask
        return None if make is None else make(self.answer.result, self.params)

    @property
    def page(self) -> Board:
        """What is written as a report: the board, or the view's own plots and tables for it."""
        if self.view.page is None:
            return self.board
        own = self.view.page(self.answer.result, self.params)
        return replace(self.board, plots=own.plots, tables=own.tables)

    @property
    def photo_info(self) -> ImageInfo:
        """The photo as files of boxes name it.

        Raises:
            ExplorerError: The view looks at none.
        """
        image = self.answer.ask.image
        if image is None:
            raise ExplorerError(
                f"{self.view.title} has no photo, so no boxes can be written.",
                "Save its data instead.",
            )
        return ImageInfo(image.path.name if image.path else image.name, image.width, image.height)

    @property
    def metadata(self) -> dict[str, Any]:
        """What is needed to make the same again; it goes into every file."""
        ask = self.answer.ask
        return metadata(
            self.view.name,
            self.params,
            self.answer.info,
            ask.image,
            ask.seed,
            self.notes,
            beside={side.view.name: side.params for side in self._sides},
            steered=self.answer.steered,
        )

    # -- pictures ---------------------------------------------------------------------------------

    @cached_property
    def rgb(self) -> UInt8:
        """The whole board as a picture: (H, 1600, 3) uint8."""
        return self.picture()

    def picture(
        self, *, width: int = PICTURE_WIDTH, theme: Theme = "light", pane: str | None = None
    ) -> UInt8:
        """The board, or one of its panes alone, as (H, W, 3) uint8 RGB.

        Args:
            width: Of the board in pixels.
            theme: The colors around its panes.
            pane: The name of a pane: it alone, in its own size.

        Raises:
            ExplorerError: There is no such pane; the sentence names those there are.
        """
        from explorer.render.board import render_board, render_pane

        if pane is not None:
            return render_pane(self.pane(pane))
        return render_board(self.board, width=width, theme=theme, title=self.title)

    def figure(
        self,
        *,
        width_mm: float = WIDTH_MM,
        font_size: float = FONT_SIZE,
        theme: Theme = "light",
        pane: str | None = None,
    ) -> Drawing:
        """The board, or one of its panes alone, as a drawing for a paper: SVG or PDF.

        Args:
            width_mm: Of the figure.
            font_size: Of its body text, in points.
            theme: Its colors; a light one stands on white.
            pane: The name of a pane: it alone.

        Raises:
            ExplorerError: A size that cannot be drawn, or no such pane; the sentence says which.
        """
        from explorer.render.vector.figure import FigureSize, render_figure, render_pane_figure

        size = FigureSize(width_mm, font_size)
        if pane is not None:
            return render_pane_figure(self.pane(pane), size, theme=theme)
        return render_figure(self.board, size, theme=theme, title=self.title)

    def frame(self, pane: str | None = None) -> UInt8:
        """A frame of a film of steps: one pane, by default the first; (H, W, 3) uint8 RGB."""
        from explorer.render.board import render_pane

        shown = self.pane(pane)
        longest = max(shown.size)
        return render_pane(shown, scale=min(max(longest, FRAME_SIDES[0]), FRAME_SIDES[1]) / longest)

    def pane(self, name: str | None = None) -> Pane:
        """The pane `name`, by default the first.

        Raises:
            ExplorerError: There is no such pane; the sentence names those there are.
        """
        panes = self.board.panes
        if name is None and panes:
            return panes[0]
        for pane in panes:
            if pane.name == name:
                return pane
        names = ", ".join(pane.name for pane in panes) or "none"
        raise ExplorerError(f"{self.view.title} has no pane {name!r}.", f"Choose among: {names}.")

    # -- out --------------------------------------------------------------------------------------

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        width_mm: float = WIDTH_MM,
        font_size: float = FONT_SIZE,
        overwrite: bool = False,
    ) -> None:
        """Writes a picture (.png, .jpg, .webp, .tif), a figure (.svg, .pdf), numbers or a report.

        The numbers are .json, .csv or .npz, the report is one web page (.html). The file is either
        as it was or completely new. The metadata goes into it. What this program wrote before is
        replaced.

        Args:
            path: Its suffix says what is written.
            width_mm: Of a figure.
            font_size: Of a figure's body text, in points.
            overwrite: A file that this program did not write may be replaced.

        Raises:
            ExplorerError: Another suffix, a size that cannot be drawn, or a file that cannot be
                written, is one of those that were read, or somebody else's.
        """
        suffix = Path(path).suffix.lower()
        if suffix in FORMATS or suffix in FIGURE_SUFFIXES:
            self.save_picture(path, width_mm=width_mm, font_size=font_size, overwrite=overwrite)
        elif suffix in DATA_SUFFIXES:
            self._guard(path, overwrite)
            save_data(path, self.data_for(path), self.metadata)
            remember(path)
        elif suffix == PAGE_SUFFIX:
            self._guard(path, overwrite)
            save_page(path, self.page, self.metadata, title=self.title)
            remember(path)
        else:
            raise ExplorerError(
                f"{Path(path).name} has no supported suffix.",
                f"Choose among: {', '.join(_SUFFIXES)}.",
            )

    def save_picture(
        self,
        path: str | os.PathLike[str],
        *,
        theme: Theme = "light",
        pane: str | None = None,
        width: int = PICTURE_WIDTH,
        width_mm: float = WIDTH_MM,
        font_size: float = FONT_SIZE,
        overwrite: bool = False,
    ) -> None:
        """Writes `picture`, or `figure` where the suffix is one of a figure.

        Args:
            path: Its suffix says which.
            theme: The colors around the panes.
            pane: The name of a pane: it alone.
            width: Of a picture, in pixels.
            width_mm: Of a figure.
            font_size: Of a figure's body text, in points.
            overwrite: See `save`.

        Raises:
            ExplorerError: As `picture`, `figure` and `save`.
        """
        self._guard(path, overwrite)
        if is_figure(path):
            drawing = self.figure(width_mm=width_mm, font_size=font_size, theme=theme, pane=pane)
            save_figure(path, drawing, self.metadata, title=self.title)
        else:
            rgb = self.picture(width=width, theme=theme, pane=pane)
            save_picture(path, rgb, self.metadata)
        remember(path)

    def _guard(self, path: str | os.PathLike[str], overwrite: bool) -> None:
        """Raises where something of the user's would be lost."""
        ask, info = self.answer.ask, self.answer.info
        inputs = [ask.image.path] if ask.image is not None else []
        weights = info.spec.weights if info is not None else ""
        if weights:
            inputs.append(file_and_part(Path(weights))[0])
        if info is not None and info.spec.classes:
            inputs.append(Path(info.spec.classes))
        for params in (self.params, *(side.params for side in self._sides)):
            inputs += named_places(params)
        check_outputs([Path(path)], inputs, overwrite=overwrite, permit="say overwrite=True")

    def as_python(self, outs: Sequence[str] = ()) -> str:
        """A script that asks the same again and gives the very same numbers.

        Args:
            outs: Files that its answer is saved to.

        Raises:
            ExplorerError: The photo is neither a file nor one of the gallery, or the network is a
                module that was given.
        """
        from explorer.engine.script import script

        ask, info = self.answer.ask, self.answer.info
        return script(
            self.view, ask.spec, [(ask.image, self.params)], seed=ask.seed, outs=[outs],
            steered=self.answer.steered,
            classes=info.classes if info is not None and info.renamed else (),
        )  # fmt: skip

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return encoded(self.rgb, "PNG", self.metadata)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.title}: {self.summary}>"


def _named(view: View[Any, Any], seconds: float, timed: bool) -> str:
    return f"{view.title} · {seconds * 1000:.0f} ms" if timed else view.title
