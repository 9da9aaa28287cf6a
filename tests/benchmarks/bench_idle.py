"""What a photo costs while it is only there: the processor time of the whole process, at rest.

Run it by name: ``pytest tests/benchmarks/bench_idle.py -s``. Processor time, not the clock: other
programs on the machine do not change it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SECONDS = 20
MOST_SHARE = 0.01
"""Of one core."""

PROGRAM = f"""
import time
from PySide6.QtCore import QTimer
from explorer.ui.shell import app
from explorer.ui.shell.window import Window

def watch(self):
    self.strip.select_item(self.strip.samples.items[0])
    poll = QTimer(self)
    def answered():
        if self.study.board is not None and not self.study.running:
            poll.stop()
            QTimer.singleShot(5000, begin)  # what follows an answer is over
    def begin():
        used = time.process_time()
        clock = time.monotonic()
        def end():
            spent, seconds = time.process_time() - used, time.monotonic() - clock
            print("idle", spent / seconds, flush=True)
            self.close()
        QTimer.singleShot({SECONDS * 1000}, end)
    poll.timeout.connect(answered)
    poll.start(100)

made = Window.__init__
def init(self, *given, **named):
    made(self, *given, **named)
    self.loaded.connect(lambda: watch(self))
Window.__init__ = init
app.main([])
"""


def test_a_photo_at_rest_costs_at_most_a_hundredth_of_a_core(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={
            "QT_QPA_PLATFORM": "offscreen",
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "EXPLORER_HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    line = next((one for one in done.stdout.splitlines() if one.startswith("idle")), "")
    assert line, done.stderr
    share = float(line.split()[1])
    print(f"\nat rest: {share:.2%} of a core")
    assert share <= MOST_SHARE
