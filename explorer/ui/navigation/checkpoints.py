"""Files of weights that are dropped or opened like photos: the network is identified, then used."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from explorer.core.network_info import (
    CHECKPOINT_SUFFIXES,
    ONNX_SUFFIX,
    NetworkSpec,
    is_network_folder,
    is_onnx,
)
from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.ui.opening.onnx_files import OnnxFiles
from explorer.ui.widgets.lifetime import discard

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from explorer.core.runner import Failure
    from explorer.networks.entry import Entry
    from explorer.ui.dialogs.messages import Way
    from explorer.ui.opening.contents_sheet import ContentsSheet
    from explorer.ui.shell.desk import Panels

    Found = tuple[tuple[str, ...], str]
    """Names of networks that fit, and what is in the file."""

    Listed = tuple[str, tuple[Entry, ...], bool]
    """See `OnnxFiles.taken`."""

IDENTIFY, CHECK = "identify", "check-file"
PROGRAM = ".py"
MOST_OFFERED = 3


def is_checkpoint(path: str | Path) -> bool:
    """By its name: a drop has to be told apart at once.

    A program may build a network, and a folder may be one.
    """
    known = Path(path).suffix.lower() in (*CHECKPOINT_SUFFIXES, PROGRAM)
    return known or is_onnx(path) or is_network_folder(path)


def is_program(path: str | Path) -> bool:
    return Path(path).suffix.lower() == PROGRAM


class Checkpoints(QObject):
    """Finds the network of a file and uses it; where several fit, buttons ask which one.

    Attributes:
        onnx: What becomes of ONNX files.
        contents: The sheet with what is in a file, while it is open.

    Signals:
        run_wanted: The NetworkSpec of a program that the user has agreed to run.
    """

    run_wanted = Signal(object)

    def __init__(self, panels: Panels) -> None:
        super().__init__(panels.main)
        self._panels = panels
        self._path = ""
        self._found: Found | None = None  # before the catalog was there
        self._listed: Listed | None = None  # the same, of an ONNX file
        self.contents: ContentsSheet | None = None
        self.onnx = OnnxFiles(panels)
        self.onnx.taken.connect(self._take_onnx)

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here."""
        return {"open_network": self.open_dialog, "check_network": self.check_dialog}

    def ready(self) -> None:
        """The catalog is there: a file that was given at the start can be used."""
        found, self._found = self._found, None
        listed, self._listed = self._listed, None
        if found is not None:
            self._take(*found)
        if listed is not None:
            self._take_onnx(*listed)

    def open_dialog(self) -> None:
        """Asks for a file that is a network or has the weights of one, and uses it."""
        path = self._asked(self.tr("Open a network"))
        if path:
            self.open(path)

    def check_dialog(self) -> None:
        """Asks for such a file, and shows what is in it."""
        path = self._asked(self.tr("Check a network file"))
        if path:
            self.check(path)

    def _asked(self, title: str) -> str:
        suffixes = " ".join(f"*{suffix}" for suffix in (ONNX_SUFFIX, *CHECKPOINT_SUFFIXES))
        kinds = f"{self.tr('Networks and weights')} ({suffixes});;* (*)"
        start = self._panels.study.checkpoint_folder
        path, _ = QFileDialog.getOpenFileName(self._panels.main, title, start, kinds)
        return path

    def check(self, path: str) -> None:
        """Shows what is in the file `path`, and what it can be used with; nothing is loaded."""
        self._path = path
        words = self.tr("Reading {file} …").format(file=Path(path).name)
        self._panels.notices.end_progress()
        self._panels.notices.progress(words, self._stop)
        self._panels.bridge.fetch(CHECK, lambda _: _contents(path), self._checked)

    def _checked(self, update: Update) -> None:
        if update.state is State.RUNNING:
            return
        self._panels.notices.end_progress()
        if update.failure is not None:
            self._fail(update.failure)
        elif update.state is State.DONE:
            self._show_contents(*update.value)

    def _show_contents(self, lines: tuple[tuple[str, str], ...], names: tuple[str, ...]) -> None:
        from explorer.ui.opening.contents_sheet import ContentsSheet

        title = self.tr("What is in {file}").format(file=Path(self._path).name)
        uses = [(self._use_words(name), name) for name in names[:MOST_OFFERED]]
        if is_onnx(self._path):
            uses = [(self.tr("Use this network"), self._path)]
        uses = uses or [(self.tr("Choose a network…"), "")]
        if self.contents is not None:
            self.contents.close_sheet()
        sheet = ContentsSheet(self._panels.main, title, lines, uses)
        sheet.chosen.connect(self._use_checked)
        sheet.closed.connect(partial(self._close_contents, sheet))
        self.contents = sheet
        sheet.open(sheet.first)

    def _close_contents(self, sheet: ContentsSheet) -> None:
        if self.contents is sheet:
            self.contents = None
        discard(sheet)

    def _use_checked(self, name: str) -> None:
        if is_onnx(name):
            self.open(name)
        elif name:
            self._use(name)
        else:
            self._choose()

    def open(self, path: str) -> None:
        """Uses the network or the weights in the file `path`, which is read by a worker."""
        self._path = path
        if is_onnx(path):
            self.onnx.open(path)
            return
        if is_network_folder(path):  # its configuration says what it is
            self._take(("",), "")
            return
        words = self.tr("Identifying the network of {file} …").format(file=Path(path).name)
        self._panels.notices.end_progress()
        self._panels.notices.progress(words, self._stop)
        find = _functions if is_program(path) else _names
        self._panels.bridge.fetch(IDENTIFY, lambda _: find(path), self._identified)

    def _stop(self) -> None:
        self._panels.bridge.cancel(IDENTIFY)
        self._panels.bridge.cancel(CHECK)
        self._panels.notices.end_progress()

    def _identified(self, update: Update) -> None:
        if update.state is State.RUNNING:
            return
        panels = self._panels
        panels.notices.end_progress()
        if update.failure is not None:
            self._fail(update.failure)
        elif update.state is State.DONE and is_program(self._path):
            self._ask_to_run(update.value)
        elif update.state is State.DONE:
            self._take(*(update.value or ((), "")))

    def _take_onnx(self, name: str, entries: tuple[Entry, ...], changed: bool) -> None:
        """An ONNX file is in the catalog; its entry there knows the file."""
        study = self._panels.study
        if study.ready is None:
            self._listed = name, entries, changed
            return
        study.set_ready(replace(study.ready, entries=entries))
        self._panels.networks.set_entries(entries, study.ready.unavailable_networks)
        self._panels.inspector.settle()
        if changed:
            study.renew(name)
        study.use(name)

    def _take(self, names: tuple[str, ...], inside: str) -> None:
        """Uses the network, or asks which; `inside` says what is in the file."""
        study, file = self._panels.study, Path(self._path).name
        if study.ready is None:
            self._found = names, inside
            return
        present = study.spec.name if study.spec is not None else ""
        if len(names) == 1 or present in names:
            self._use(present if present in names else names[0])
        elif names:
            titles = [self._title(name) for name in names]
            words = self.tr("{file} matches {networks} equally well.")
            self._say(
                words.format(file=file, networks=self.tr(" and ").join(titles)),
                self.tr("Choose the one that it was trained with."),
                inside,
                ways=[self._way(name) for name in names[:MOST_OFFERED]],
            )
        else:
            words = self.tr("{file} matches no network of the catalog.").format(file=file)
            choose = (self.tr("Choose a network…"), self._choose)
            known = [self._way(present)] if study.entry() is not None else []
            self._say(
                words,
                self.tr("Try one to see which tensors differ."),
                inside,
                ways=[*known, choose],
            )

    def _ask_to_run(self, functions: tuple[str, ...]) -> None:
        """A program runs only when the user has agreed; the buttons name what would be called."""
        file = Path(self._path).name
        if not functions:
            self._say(
                self.tr("{file} has no function without arguments.").format(file=file),
                self.tr("Write one that returns the network, for example build()."),
            )
            return
        words = self.tr("Run {function}()")
        self._say(
            self.tr("{file} is a program: to use its network, its code has to run.").format(
                file=file
            ),
            self.tr("It can do whatever you can do: run it only if you trust whoever wrote it."),
            ways=[
                (words.format(function=name), partial(self._run, name))
                for name in functions[:MOST_OFFERED]
            ],
        )

    def _run(self, function: str, _checked: bool = False) -> None:
        self.run_wanted.emit(
            NetworkSpec(f"{self._path}:{function}", device=self._panels.study.device)
        )

    def _way(self, name: str) -> Way:
        return self._use_words(name), partial(self._use, name)

    def _use_words(self, name: str) -> str:
        return self.tr("Use {network}").format(network=self._title(name))

    def _title(self, name: str) -> str:
        ready = self._panels.study.ready
        entries = ready.entries if ready is not None else ()
        return next((entry.title for entry in entries if entry.name == name), name)

    def _use(self, name: str, _checked: bool = False) -> None:
        self._panels.inspector.settle()
        self._panels.study.use(name, self._path)

    def _choose(self) -> None:
        self._panels.networks.open()

    def _fail(self, failure: Failure) -> None:
        details = "" if failure.expected else failure.traceback
        self._say(failure.message, failure.hint, details)

    def _say(
        self, message: str, hint: str, details: str = "", ways: list[Way] | None = None
    ) -> None:
        self._panels.inspector.show_error(message, hint, details, ways or (), stays=True)
        self._panels.docks["inspector"].show()


def _names(path: str) -> Generator[Step[Any], Any, None]:
    from explorer.networks import catalog  # with torch

    names = catalog.guess(Path(path))
    inside = "" if len(names) == 1 else catalog.inspect(Path(path)).text()
    yield Step((names, inside))


def _contents(path: str) -> Generator[Step[Any], Any, None]:
    from explorer.networks import catalog

    found = catalog.inspect(Path(path))
    yield Step((found.lines(), found.names))


def _functions(path: str) -> Generator[Step[Any], Any, None]:
    from explorer.networks.external import python_file

    yield Step(python_file.functions(Path(path)))
