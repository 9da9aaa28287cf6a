"""Live mode in the window: sources that come and go, parameters, freezing, trouble."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from explorer.core.errors import ExplorerError
from explorer.core.settings import Settings
from explorer.live.capture import Phase
from explorer.live.pace import Pace
from explorer.live.source import Lost, SourceSpec
from explorer.networks.fast.kept import Decision
from explorer.networks.onnx import packages
from explorer.ui.live.live_bar import Budget, LiveBar
from explorer.ui.shell.window import Window
from tests.live.films import film as write

SECONDS = 30_000


class Frames:
    """Endless gray frames; it counts, and can be unplugged."""

    rate = 200.0
    duration = 0.0

    def __init__(self) -> None:
        self.count = self.opened = self.closed = 0
        self.unplugged = threading.Event()
        self.refuses = ""

    def open(self) -> None:
        if self.refuses:
            raise ExplorerError(self.refuses, "Connect one.")
        self.opened += 1

    def read(self) -> tuple[np.ndarray, float]:
        if self.unplugged.is_set():
            raise Lost("The camera delivers no frames.")
        self.count += 1
        return np.full((48, 64, 3), self.count % 200, np.uint8), self.count / self.rate

    def seek(self, position: float) -> None:
        self.count = round(position * self.rate)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def window(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    monkeypatch.setenv("EXPLORER_HOME", str(tmp_path))
    made = Window(Settings())
    qtbot.addWidget(made)
    with qtbot.waitSignal(made.loaded, timeout=120_000):
        made.begin()
    yield made
    made.close()


def follow(qtbot: Any, window: Window, source: Frames, title: str = "Toy") -> None:
    window.live.make = lambda _: source
    window.live.start(SourceSpec("camera", title, title=title))
    qtbot.waitUntil(lambda: window.live.shown is not None, timeout=SECONDS)


def number(window: Window) -> int:
    return window.live.shown.number if window.live.shown is not None else -1


def test_frames_are_followed(window: Window, qtbot: Any) -> None:
    follow(qtbot, window, Frames())
    first = number(window)
    qtbot.waitUntil(lambda: number(window) > first + 3, timeout=SECONDS)
    study = window.study
    assert study.live
    assert study.answer.shot.pixels is study.image.pixels
    assert study.image.name == "Toy"
    assert not window.live.bar.isHidden()
    assert not window.inspector.strip.cancel.isVisible()
    assert window.strip.items == ()
    words = window.live.bar.budget
    window.resize(1400, 900)
    window.show()
    qtbot.waitUntil(
        lambda: "inference" in words.text() and "0.0 displayed" not in words.text(), timeout=SECONDS
    )
    assert study.view.title in words.toolTip()


def test_leaving_goes_back_to_the_photo(window: Window, qtbot: Any, tmp_path: Path) -> None:
    place = tmp_path / "cat.png"
    PIL.Image.new("RGB", (64, 48), (90, 120, 60)).save(place)
    window.intake.open_path(str(place))
    qtbot.waitUntil(lambda: window.study.image is not None, timeout=SECONDS)
    for way in ("leave_live", "close_photo", "cancel"):
        follow(qtbot, window, Frames())
        assert window.strip.current is None
        window.actions_[way].trigger()
        qtbot.waitUntil(lambda: not window.study.live, timeout=SECONDS)
        assert window.strip.current == str(place)
        qtbot.waitUntil(lambda: window.study.image.name == "cat.png", timeout=SECONDS)
        assert window.live.capture is None


def test_views_beside_the_main_one_follow_the_same_frames(window: Window, qtbot: Any) -> None:
    follow(qtbot, window, Frames())
    study = window.study
    assert "feature_maps" in [view.name for view in study.offered()]
    own = len(study.board.panes)
    study.set_beside("feature_maps", True)
    qtbot.waitUntil(lambda: len(study.board.panes) == own + 1, timeout=SECONDS)
    first, second = study.board.panes[0], study.board.panes[-1]
    assert first.title.startswith(study.view.title)
    assert second.title.startswith("Feature maps")
    assert " ms" in second.title
    before = number(window)
    qtbot.waitUntil(lambda: number(window) > before + 2, timeout=SECONDS)
    assert study.answer.beside[0].result is not None
    window.live.freeze(True)
    qtbot.waitUntil(
        lambda: study.board is not None and len(study.board.panes) == own + 1, timeout=SECONDS
    )
    assert study.board.panes[-1].title.startswith("Feature maps")
    assert " ms" not in study.board.panes[-1].title
    study.set_beside("feature_maps", False)
    assert len(study.board.panes) == own


def test_a_smaller_size_holds_a_rate(window: Window, qtbot: Any) -> None:
    study = window.study
    study.set_view("detections")
    follow(qtbot, window, Frames())
    study.set_pace(Pace(share=0.5))
    qtbot.waitUntil(lambda: study.answer is not None and study.answer.share == 0.5, timeout=SECONDS)
    words = window.live.bar.budget
    qtbot.waitUntil(lambda: "50% of the network's own" in words.toolTip(), timeout=SECONDS)


def test_parameters_apply_to_the_frames_that_follow(window: Window, qtbot: Any) -> None:
    follow(qtbot, window, Frames())
    study = window.study
    submitted = study.submitted
    study.set_view("feature_maps")
    qtbot.waitUntil(lambda: study.answer is not None, timeout=SECONDS)
    layer = study.info.layer_names("Conv2d")[2]
    study.set_param("layer", layer)
    qtbot.waitUntil(lambda: study.answer.params.layer == layer, timeout=SECONDS)
    assert study.submitted == submitted + 1  # the view; the parameter was handed to its job
    assert study.live


def test_a_frozen_frame_is_an_ordinary_picture(window: Window, qtbot: Any) -> None:
    follow(qtbot, window, Frames())
    qtbot.waitUntil(lambda: number(window) > 5, timeout=SECONDS)
    window.live.toggle_freeze()
    study, shown = window.study, number(window)
    assert not study.live
    assert study.image.name == f"Toy, frame {shown:,}"
    qtbot.waitUntil(lambda: not study.running and study.answer is not None, timeout=SECONDS)
    assert study.answer.shot is None
    window.live.bar.film.place.setValue(0)  # back to the oldest one
    assert int(study.image.pixels[0, 0, 0]) == 1
    assert study.image.name == "Toy, frame 0"
    window.live.toggle_freeze()
    qtbot.waitUntil(lambda: number(window) > shown, timeout=SECONDS)
    assert study.live


def test_a_new_source_takes_the_place_of_the_old(window: Window, qtbot: Any) -> None:
    one, two = Frames(), Frames()
    follow(qtbot, window, one)
    window.live.start(SourceSpec("camera", "1", title="Other"))
    window.live.make = lambda _: two
    window.live.start(SourceSpec("camera", "2", title="Third"))
    qtbot.waitUntil(lambda: two.opened == 1 and one.closed >= 1, timeout=SECONDS)
    qtbot.waitUntil(lambda: window.study.image.name == "Third", timeout=SECONDS)


def test_closing_the_window_gives_the_device_back(window: Window, qtbot: Any) -> None:
    source = Frames()
    follow(qtbot, window, source)
    window.close()
    assert source.closed == 1
    assert window.live.capture is None


def test_a_closed_window_opens_no_device(window: Window, qtbot: Any) -> None:
    source = Frames()
    window.live.make = lambda _: source
    window.close()
    window.live.start(SourceSpec("camera", "Toy", title="Toy"))
    assert window.live.capture is None
    assert source.opened == 0


def test_a_photo_ends_live(window: Window, qtbot: Any, tmp_path: Path) -> None:
    import cv2

    source = Frames()
    follow(qtbot, window, source)
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.zeros((20, 30, 3), np.uint8))
    window.intake.open_paths([path])
    qtbot.waitUntil(lambda: window.study.image.name == "photo.png", timeout=SECONDS)
    assert not window.study.live
    assert window.live.bar.isHidden()
    qtbot.waitUntil(lambda: source.closed == 1, timeout=SECONDS)


def test_a_source_that_is_not_there_says_so(window: Window, qtbot: Any) -> None:
    source = Frames()
    source.refuses = "No camera was found."
    window.live.make = lambda _: source
    window.live.start(SourceSpec("camera", "", title="Toy"))
    bar = window.live.bar
    qtbot.waitUntil(lambda: "No camera was found." in bar.phase.text(), timeout=SECONDS)
    window.live.leave()
    assert not window.study.live
    assert bar.isHidden()
    assert window.study.image is None


def test_a_lost_camera_says_so_and_goes_on(window: Window, qtbot: Any) -> None:
    source = Frames()
    follow(qtbot, window, source)
    source.unplugged.set()
    bar = window.live.bar
    qtbot.waitUntil(lambda: "no frames" in bar.phase.text(), timeout=SECONDS)
    last = number(window)
    source.unplugged.clear()
    qtbot.waitUntil(lambda: number(window) > last, timeout=SECONDS)
    qtbot.waitUntil(lambda: bar.phase.text() == "", timeout=SECONDS)


def test_a_view_for_stills_gets_the_frame_and_the_next_view_goes_on(
    window: Window, qtbot: Any
) -> None:
    follow(qtbot, window, Frames())
    study = window.study
    study.set_view("deep_dream")
    assert window.live.bar.frozen
    assert not study.live
    assert any("shows this frame" in text for text in window.notices.texts)
    qtbot.waitUntil(lambda: study.answer is not None, timeout=SECONDS)
    assert window.inspector.error.isHidden()
    study.set_view("recall_lab")  # another one for stills: the same frame
    assert window.live.bar.frozen
    study.set_view("classify")
    assert study.live
    assert not window.live.bar.frozen
    window.live.toggle_freeze()  # by the user: it stays so, whatever is chosen
    study.set_view("feature_maps")
    assert window.live.bar.frozen
    study.cancel()


def test_a_film_waits_where_a_view_for_stills_was_chosen(
    window: Window, qtbot: Any, tmp_path: Path
) -> None:
    window.intake.open_paths([write(tmp_path / "film.avi", 30)])
    qtbot.waitUntil(lambda: window.live.shown is not None, timeout=SECONDS)
    window.study.set_view("deep_dream")
    frame = window.study.image
    assert frame.name.startswith("film.avi, frame ")
    capture = window.live.capture
    qtbot.waitUntil(lambda: capture.status.phase is Phase.PAUSED, timeout=SECONDS)
    window.study.set_view("classify")
    assert window.live.capture is capture, "it is not opened anew: it goes on from there"
    qtbot.waitUntil(lambda: capture.status.phase is not Phase.PAUSED, timeout=SECONDS)


def test_a_film_is_played_by_opening_it(window: Window, qtbot: Any, tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "gray.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for n in range(30):
        writer.write(np.full((48, 64, 3), n * 8, np.uint8))
    writer.release()
    window.intake.open_paths([path])
    qtbot.waitUntil(lambda: window.live.shown is not None, timeout=SECONDS)
    live = window.live
    assert window.study.image.name == "gray.avi"
    assert not live.bar.film.play.isHidden()
    qtbot.mouseClick(live.bar.film.play, Qt.MouseButton.LeftButton)
    assert live.capture is not None
    qtbot.waitUntil(lambda: live.capture.status.phase is Phase.PAUSED, timeout=SECONDS)
    live.bar.film.place.setValue(500)
    qtbot.waitUntil(lambda: abs(live.shown.position - 1.5) < 0.11, timeout=SECONDS)
    before = live.shown.position
    qtbot.mouseClick(live.bar.film.ahead, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: abs(live.shown.position - before - 0.1) < 0.02, timeout=SECONDS)


def test_f_freezes_only_while_live(window: Window, qtbot: Any) -> None:
    fit, freeze = window.actions_["fit"], window.actions_["freeze"]
    assert fit.shortcut().toString() == "F"
    assert not freeze.isEnabled()
    follow(qtbot, window, Frames())
    assert freeze.shortcut().toString() == "F"
    assert fit.shortcut().isEmpty()
    window.live.leave()
    assert fit.shortcut().toString() == "F"
    assert window.study.image.name.startswith("Toy, frame")


def test_a_narrow_line_says_what_matters_most(qtbot: Any) -> None:
    bar = LiveBar(QWidget())
    qtbot.addWidget(bar)
    bar.begin("A film")
    budget = Budget(30.0, (("Detections", 0.05), ("Anchors", 0.01)), 0.002, 16.4, 0.075, 7, 0.5)
    bar.resize(1000, 80)
    bar.set_budget(budget)
    assert bar.budget.text() == (
        "capture 30/s → inference 17/s → display 16.4/s"
        " · latency 75 ms · 7 dropped · input size 50%"
    )
    assert "Anchors: 10.0 ms" in bar.budget.toolTip()
    bar.resize(420, 80)
    bar.set_budget(budget)
    assert bar.budget.text() == "display 16.4/s · latency 75 ms"
    bar.resize(300, 80)
    bar.set_budget(budget)
    assert bar.budget.text() == "16.4/s · 75 ms"
    bar.resize(120, 80)
    bar.set_budget(budget)
    assert bar.budget.text() == "", "not cut; the tooltip has it"
    assert "Anchors: 10.0 ms" in bar.budget.toolTip()
    bar.set_budget(None)
    assert bar.budget.text() == ""


def test_the_faster_runtime_is_named_and_checked(
    window: Window, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "has_runtime", lambda: True)
    monkeypatch.setattr(Decision, "faster", property(lambda decision: decision.torch_seconds > 0))
    label = window.status.runtime
    window.study.use("mini-resnet")
    follow(qtbot, window, Frames())
    qtbot.waitUntil(lambda: label.text().startswith("ONNX Runtime, "), timeout=SECONDS)
    assert "in PyTorch" in label.toolTip()
    window.live.freeze(True)
    assert label.text() == ""
    qtbot.waitUntil(
        lambda: any(text.startswith("Recomputed with PyTorch") for text in window.notices.texts),
        timeout=SECONDS,
    )
    window.live.freeze(False)
    qtbot.waitUntil(lambda: label.text().startswith("ONNX Runtime, "), timeout=SECONDS)
    preferences = window.settings.preferences
    window.apply_preferences(replace(preferences, live_runtime="torch"))
    qtbot.waitUntil(lambda: label.text() == "", timeout=SECONDS)
    before = number(window)
    qtbot.waitUntil(lambda: number(window) > before + 2, timeout=SECONDS)
    assert label.text() == ""
