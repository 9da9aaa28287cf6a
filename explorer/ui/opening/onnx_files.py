"""ONNX files that are dropped or opened: what they do not say is asked once, then remembered."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.ui.widgets.lifetime import discard

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.runner import Failure, Token
    from explorer.engine.engine import Engine
    from explorer.networks.onnx.answers import Answers, Questions, Use
    from explorer.ui.opening.onnx_sheet import OnnxSheet
    from explorer.ui.shell.desk import Panels

READ, TAKE, NAMES, PREVIEW = "onnx-read", "onnx-take", "onnx-names", "onnx-preview"


class OnnxFiles(QObject):
    """Reads a file, asks what is unclear about it, and adds it to the catalog.

    Attributes:
        sheet: The one that is open, or was open last; None before that.

    Signals:
        taken: ``(name, entries, changed)``: the network of that name is in the catalog, whose
            entries are those; with `changed` it may have been there, and is another one now.
    """

    taken = Signal(str, object, bool)

    def __init__(self, panels: Panels) -> None:
        super().__init__(panels.main)
        self._panels = panels
        self._path = ""
        self._again = False
        self.sheet: OnnxSheet | None = None
        panels.networks.panel.answers_wanted.connect(self.change)

    def open(self, path: str, *, again: bool = False) -> None:
        """Uses the network in the file `path`; what is unclear about it is asked before.

        Args:
            path: The file.
            again: The answers are to be changed: it is asked in any case.
        """
        self._path, self._again = path, again
        words = self.tr("Reading {file} …").format(file=Path(path).name)
        self._panels.notices.end_progress()
        self._panels.notices.progress(words, self._stop)
        self._panels.bridge.fetch(READ, lambda _: _questions(path), self._read)

    def change(self, name: str) -> None:
        """Asks again about the network `name` of the catalog."""
        ready = self._panels.study.ready
        entries = ready.entries if ready is not None else ()
        entry = next((entry for entry in entries if entry.name == name), None)
        if entry is not None and entry.weights:
            self.open(entry.weights[0].path, again=True)

    def _stop(self) -> None:
        self._panels.bridge.cancel(READ)
        self._panels.notices.end_progress()

    def _read(self, update: Update) -> None:
        if update.state is State.RUNNING:
            return
        self._panels.notices.end_progress()
        if update.failure is not None:
            self._fail(update.failure)
        elif update.state is State.DONE:
            questions: Questions = update.value
            if self._again or questions.unclear:
                self._ask(questions)
            else:
                self._take(questions.path, None)

    # -- the sheet --------------------------------------------------------------------------------

    def _ask(self, questions: Questions) -> None:
        from explorer.ui.opening.onnx_sheet import OnnxSheet

        if self.sheet is not None:
            self.sheet.close_sheet()
        sheet = OnnxSheet(self._panels.main, questions, again=self._again)
        sheet.accepted.connect(partial(self._take, questions.path))
        sheet.changed.connect(partial(self._preview, questions))
        sheet.names_wanted.connect(partial(self._ask_names, questions.path))
        sheet.closed.connect(partial(self._closed, sheet))
        self.sheet = sheet
        sheet.open_sheet()

    def _closed(self, sheet: OnnxSheet) -> None:
        self._panels.bridge.cancel(PREVIEW)
        if self.sheet is sheet:
            self.sheet = None
        discard(sheet)

    def _preview(self, questions: Questions, said: Answers) -> None:
        """The photo that is shown as this input; the newest answers replace those before."""
        image = self._panels.study.image
        if image is None:
            return
        pixels, before = image.pixels, questions.before

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.networks.onnx.answers import prepared

            yield Step(prepared(said, before, pixels))

        self._panels.bridge.fetch(PREVIEW, lambda _: job(), self._previewed)

    def _previewed(self, update: Update) -> None:
        if self.sheet is None or update.state is State.RUNNING:
            return
        if update.failure is not None:
            self.sheet.say(update.failure.message)
        elif update.value is not None:
            self.sheet.show_input(update.value)

    def _ask_names(self, path: str, use: Use) -> None:
        lists = "*.txt *.names *.yaml *.yml *.json *.data"
        kinds = f"{self.tr('Lists of class names')} ({lists});;* (*)"
        chosen, _ = QFileDialog.getOpenFileName(
            self._panels.main, self.tr("Class names"), os.path.dirname(path), kinds
        )
        if not chosen:
            return

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.networks.onnx.answers import listed_names

            yield Step(listed_names(Path(chosen), use))

        self._panels.bridge.fetch(NAMES, lambda _: job(), self._named)

    def _named(self, update: Update) -> None:
        if self.sheet is None or update.state is State.RUNNING:
            return
        if update.failure is not None:
            self.sheet.say(f"{update.failure.message} {update.failure.hint}".strip())
        elif update.value is not None:
            self.sheet.add_names(update.value)

    # -- into the catalog -------------------------------------------------------------------------

    def _take(self, path: str, said: Answers | None) -> None:
        def begin(engine: Engine, _token: Token) -> Generator[Step[Any], Any, None]:
            from explorer.networks import catalog
            from explorer.networks.external import timm_models

            if said is None:
                name = catalog.opened(Path(path))
            else:
                name = catalog.answered(Path(path), said)
                engine.release(name)  # whoever loads it from now on gets it as it was answered
            yield Step((name, catalog.entries(timm=timm_models.is_listed()), said is not None))

        self._panels.bridge.compute(TAKE, begin, self._took)

    def _took(self, update: Update) -> None:
        if update.failure is not None:
            self._fail(update.failure)
        elif update.state is State.DONE:
            self.taken.emit(*update.value)

    def _fail(self, failure: Failure) -> None:
        details = "" if failure.expected else failure.traceback
        self._panels.inspector.show_error(failure.message, failure.hint, details, stays=True)
        self._panels.docks["inspector"].show()


def _questions(path: str) -> Generator[Step[Any], Any, None]:
    from explorer.networks import catalog  # with torch

    yield Step(catalog.questions(Path(path)))
