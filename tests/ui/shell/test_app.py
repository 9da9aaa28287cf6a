"""Starting and ending: sentences, not aborts; signals, crash files, hooks that never raise."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from explorer.core import settings
from explorer.core.errors import ExplorerError
from explorer.ui.shell import crash_log, display_check, idle_timer
from tests.marks import by_hand

ROOT = Path(__file__).parents[3]
START = "import sys; from explorer.ui.shell.app import main; sys.exit(main(sys.argv[1:]))"


def environment(**changes: str) -> dict[str, str]:
    known = {key: value for key, value in os.environ.items() if "DISPLAY" not in key}
    known.pop("QT_QPA_PLATFORM", None)
    return {**known, "PYTHONPATH": str(ROOT), **changes}


def start(*args: str, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", START, *args],
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, words: str, seconds: float = 60.0) -> None:
    """Until another process has written `words` into its log."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.is_file() and words in path.read_text():
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{words!r} did not come")


def test_without_a_display_there_is_one_sentence_and_status_2() -> None:
    process = start()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "no display" in err


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_display_that_is_gone_gets_the_same_sentence(name: str, tmp_path: Path) -> None:
    stale = {"DISPLAY": ":4711", "WAYLAND_DISPLAY": str(tmp_path / "gone")}[name]
    process = start(**{name: stale})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2, err
    assert out == ""
    assert err.count("\n") == 1
    assert f"{name}={stale}: no server answers" in err


def test_only_displays_that_qt_would_try_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(display_check, "missing_packages", lambda _: ())

    def answers(name: str, _display: str) -> bool:
        asked.append(name)
        return name == "DISPLAY"

    monkeypatch.setattr(display_check, "answers", answers)
    both = {"DISPLAY": ":1", "WAYLAND_DISPLAY": "wayland-1"}
    assert display_check.complaint(both) == "", "one of them is enough"
    assert "no server answers" in display_check.complaint(
        {**both, "QT_QPA_PLATFORM": "wayland-egl"}
    )
    assert display_check.complaint({**both, "QT_QPA_PLATFORM": "xcb"}) == ""
    asked.clear()
    assert display_check.complaint({**both, "QT_QPA_PLATFORM": "offscreen"}) == ""
    assert asked == []


@pytest.mark.parametrize("number", [signal.SIGTERM, *by_hand(signal.SIGINT, signal.SIGHUP)])
def test_a_signal_ends_it_cleanly_even_while_torch_is_imported(number: int, home: Path) -> None:
    process = start(QT_QPA_PLATFORM="offscreen")
    wait_for(home / "logs" / "explorer.log", "the window is painted")
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert settings.settings_path().is_file()
    assert not list((home / "logs").glob("fault-*.txt"))


def test_reset_settings_puts_them_aside(home: Path) -> None:
    settings.save(settings.Settings(recent=("/a.png",)))
    start_reset = START.replace("main(sys.argv[1:])", "main([], reset_settings=True)")
    process = subprocess.Popen(
        [sys.executable, "-c", start_reset], env=environment(QT_QPA_PLATFORM="offscreen")
    )
    wait_for(home / "logs" / "explorer.log", "the window is painted")
    process.terminate()
    assert process.wait(30) == 0
    assert settings.load().recent == ()
    assert (home / "settings.json.bad").is_file()


def test_plugin_paths_of_another_qt_are_removed(home: Path) -> None:
    process = start(
        QT_QPA_PLATFORM="offscreen", QT_QPA_PLATFORM_PLUGIN_PATH="/nowhere/cv2/qt/plugins"
    )
    wait_for(home / "logs" / "explorer.log", "the window is painted")
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_missing_libraries_are_named_by_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(display_check, "loads", lambda library: "cursor" not in library)
    assert display_check.missing_packages({"DISPLAY": ":0"}) == ("libxcb-cursor0",)
    assert "apt-get install libxcb-cursor0" in display_check.complaint({"DISPLAY": ":0"})
    assert display_check.complaint({"QT_QPA_PLATFORM": "offscreen"}) == ""
    assert "no display" in display_check.complaint({})


@contextmanager
def installed(hooks: crash_log.ErrorHooks) -> Iterator[None]:
    before = sys.excepthook, threading.excepthook
    hooks.install()
    try:
        yield
    finally:
        hooks.uninstall()
        sys.excepthook, threading.excepthook = before


@pytest.fixture
def hooks(qapp: object) -> Iterator[crash_log.ErrorHooks]:
    made = crash_log.ErrorHooks()
    yield made
    made.deleteLater()


def test_uncaught_errors_are_logged_and_told_a_few_times(
    qtbot: QtBot, hooks: crash_log.ErrorHooks, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[str, str]] = []
    hooks.problem.connect(lambda sentence, details: told.append((sentence, details)))
    with installed(hooks):
        for number in range(50):
            try:
                raise ZeroDivisionError(f"number {number}\nmore")
            except ZeroDivisionError as error:
                sys.excepthook(type(error), error, error.__traceback__)
    assert len(told) == crash_log.MOST_PER_MINUTE
    assert told[0][0] == "number 0"
    assert "ZeroDivisionError" in told[0][1]
    assert caplog.text.count("nobody caught this") == 50


def test_the_hook_survives_an_error_that_cannot_be_printed(
    hooks: crash_log.ErrorHooks, caplog: pytest.LogCaptureFixture
) -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    told: list[str] = []
    hooks.problem.connect(lambda sentence, details: told.append(sentence))
    with installed(hooks):
        sys.excepthook(Rude, Rude(), None)
        sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
        sys.excepthook(ExplorerError, ExplorerError("This is wrong.", "Do that."), None)
    assert told == ["This is wrong. Do that."]


def test_errors_of_threads_are_told(qtbot: QtBot, hooks: crash_log.ErrorHooks) -> None:
    with installed(hooks), qtbot.waitSignal(hooks.problem, timeout=3000) as told:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    assert "division" in told.args[0]


def test_a_crash_is_offered_once(home: Path) -> None:
    folder = home / "logs"
    folder.mkdir()
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    crashed = folder / f"fault-{gone.stdout.strip()}.txt"
    crashed.write_text("Fatal Python error: Segmentation fault")
    mine = folder / f"fault-{os.getpid()}.txt"
    mine.write_text("still running")
    assert "Segmentation fault" in crash_log.last_crash()
    assert crash_log.last_crash() == ""
    assert mine.is_file()
    assert (folder / "last-crash.txt").is_file()


def test_a_killed_run_leaves_nothing_to_offer(home: Path) -> None:
    (home / "logs").mkdir()
    (home / "logs" / "fault-999999999.txt").write_text("")
    assert crash_log.last_crash() == ""
    assert not list((home / "logs").glob("fault-*"))


def test_a_folder_that_cannot_be_written_only_costs_the_log(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "logs").write_text("a file where the folder should be")
    assert crash_log.start_log() is None
    fault = crash_log.FaultFile()
    with caplog.at_level(logging.WARNING):
        fault.start()
    fault.alive()
    fault.end()
    assert "cannot be recorded" in caplog.text


def test_what_was_imported_is_not_looked_through_again() -> None:
    before = len(gc.get_objects())
    assert before > 10_000
    idle_timer.settle()
    try:
        assert len(gc.get_objects()) < before / 100
    finally:
        gc.unfreeze()


def test_garbage_is_collected_between_events() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

    enabled = gc.isenabled()
    gc.disable()
    try:
        kept = [Cycle() for _ in range(gc.get_threshold()[0] + 100)]
        kept.clear()
        idle_timer.collect()
        assert gc.get_count()[0] < gc.get_threshold()[0]
    finally:
        if enabled:
            gc.enable()
