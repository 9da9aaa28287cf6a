"""The process that writes a film, as threads of the test: what it does can be held up or broken."""

from __future__ import annotations

import os
import threading

import pytest

from explorer.live.recording import process, recorder, writer


class Here:
    """Stands for the `subprocess.Popen` of a recorder."""

    def __init__(self) -> None:
        commands, given = os.pipe()
        told, answers = os.pipe()
        self.stdin, self.stdout = os.fdopen(given, "wb"), os.fdopen(told, "rb")
        self._thread = threading.Thread(target=self._work, args=(commands, answers), name="here")
        self._thread.start()

    def _work(self, commands: int, answers: int) -> None:
        with os.fdopen(commands, "rb") as read, os.fdopen(answers, "w", encoding="utf-8") as write:
            process.work(read, write)

    def wait(self) -> int:
        self._thread.join()
        return 0


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorders of the test write their films in its own process."""
    monkeypatch.setattr(recorder, "_begin", Here)
    monkeypatch.setattr(process, "TELL_SECONDS", 0.01)
    # A thread of low priority that holds Python's lock would stop the test.
    monkeypatch.setattr(writer, "lower_priority", lambda **_: None)
