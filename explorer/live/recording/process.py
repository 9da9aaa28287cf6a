"""The process that writes a film: frames come on its input, how far it is goes to its output.

It is started by `recorder` and ends when the film is written. When its input ends without a word,
the program was killed: what has come is written all the same.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.live.recording.messages import Kind, frame_of, received, time_of, unpacked
from explorer.live.recording.painting import rendered, rendered_whole
from explorer.live.recording.writer import FilmWriter, RecordStatus

if TYPE_CHECKING:
    from typing import IO

TELL_SECONDS = 0.1
"""From one word about how far it is to the next."""


def main() -> None:
    """Writes one film."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program decides, and says so
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a codec prints is no answer
    work(sys.stdin.buffer, answers)


def work(commands: IO[bytes], answers: IO[str]) -> None:
    """Obeys up to the end of `commands`, and says how far it is in lines of JSON."""
    messages = received(commands)
    start = next((unpacked(data) for kind, data in messages if kind is Kind.START), None)
    if start is None:
        return
    changed = threading.Event()
    paint = rendered_whole if start.whole else rendered
    writer = FilmWriter(start.path, start.rate, paint=paint, notify=changed.set)
    teller = threading.Thread(target=_tell, args=(writer, answers, changed), name="teller")
    teller.start()
    for kind, data in messages:
        if kind is Kind.FRAME:
            at, filmed, frame = frame_of(data)
            writer.put(at, frame, filmed=filmed)
        elif kind is Kind.STOP:
            writer.stop(time_of(data))
        elif kind is Kind.CANCEL:
            writer.cancel()
    writer.stop()
    teller.join()


def _tell(writer: FilmWriter, answers: IO[str], changed: threading.Event) -> None:
    told: RecordStatus | None = None
    while told is None or not told.over:
        changed.wait(TELL_SECONDS)
        if (status := writer.status) != told:
            told = status
            try:
                answers.write(line_of(status) + "\n")
                answers.flush()
            except OSError:  # the program is gone: the film is written all the same
                writer.wait()
                return


def line_of(status: RecordStatus) -> str:
    """One line of JSON."""
    problem = status.problem
    words = None if problem is None else [problem.message, problem.hint]
    return json.dumps(asdict(replace(status, problem=None)) | {"problem": words})


def status_of(line: str) -> RecordStatus:
    """What `line_of` has written."""
    found = json.loads(line)
    words = found.pop("problem")
    return RecordStatus(**found, problem=None if words is None else ExplorerError(*words))
