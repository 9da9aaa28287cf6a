"""Formulas set as mathematics: LaTeX to SVG by ziamath, on a thread of its own, kept on disk.

Importing ziamath reads a font, and it is written in Python: a few formulas take it as long as a
second on a busy computer. The window's thread only ever asks for what is ready.
"""

from __future__ import annotations

import json
import logging
import threading
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import QObject, Signal

from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import write_bytes
from explorer.core.storage.disk_cache import DiskCache, Entry

log = logging.getLogger(__name__)

POINTS = 24.0
"""What a formula is laid out with; it is scaled to the size needed."""

FORM = 1
"""Of what is kept: another number when formulas are to be set again."""

FILE = "formulas.json"

_ready: dict[str, str] = {}
"""By LaTeX: the formula in black; "" where it cannot be set."""


def ready(latex: str) -> str | None:
    """The formula as SVG in black; "" where it cannot be set, None while it has not been set."""
    return _ready.get(latex)


def svg_of(latex: str) -> str:
    """Sets a formula, which takes its time; "" where it cannot be set."""
    try:
        from ziamath.config import config
        from ziamath.zmath import Latex

        config.svg2 = False  # Qt draws SVG 1.1
        config.math.color = "#000000"
        return str(Latex(latex, size=POINTS).svg())
    except Exception:  # its parsers raise whatever they stumble over; then letters must do
        log.exception("the formula %r cannot be set", latex)
        return ""


def set_together(formulas: tuple[str, ...]) -> None:
    """Makes the formulas of one text ready: those of an earlier time are read from the disk."""
    found = _kept(formulas)
    if found.keys() != set(formulas):
        found = {latex: svg_of(latex) for latex in formulas}
        if all(found.values()):
            _keep(formulas, found)
    _ready.update(found)


class Setter(QObject):
    """Sets formulas on a thread that ends when all are set; the newest text comes first.

    It has no parent: the thread keeps it alive as long as it needs it.

    Signals:
        done: The formulas of a text are ready.
    """

    done = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, ...]] = []
        self._thread: threading.Thread | None = None

    def ask(self, formulas: tuple[str, ...]) -> bool:
        """Whether all are ready; if not they are going to be, and `done` follows."""
        if all(latex in _ready for latex in formulas):
            return True
        with self._lock:
            self._waiting.append(formulas)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="formulas", daemon=False)
                self._thread.start()
        return False

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                formulas = self._waiting.pop()
            set_together(formulas)
            self.done.emit()


# -- on the disk ----------------------------------------------------------------------------------


def _entry(formulas: tuple[str, ...]) -> Entry:
    try:
        made_by = version("ziamath")
    except PackageNotFoundError:  # bundled without its metadata
        made_by = ""
    return DiskCache().entry("formulas", form=FORM, by=made_by, formulas=formulas)


def _kept(formulas: tuple[str, ...]) -> dict[str, str]:
    """What an earlier time has left; nothing where that is not as it was written."""
    try:
        entry = _entry(formulas)
        found = json.loads(entry.file(FILE).read_bytes()) if entry.complete else {}
    except (ExplorerError, OSError, ValueError):
        return {}
    good = isinstance(found, dict) and all(isinstance(svg, str) for svg in found.values())
    return found if good else {}


def _keep(formulas: tuple[str, ...], found: dict[str, str]) -> None:
    try:
        entry = _entry(formulas)
        with entry.filling() as mine:
            if mine:
                write_bytes(entry.file(FILE), json.dumps(found).encode())
                DiskCache().finish(entry)
    except (ExplorerError, OSError) as error:
        log.info("the formulas are not kept: %s", error)
