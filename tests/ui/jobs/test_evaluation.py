"""Evaluation in the real window: a view whose work goes on behind the questions."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from explorer.core.network_info import NetworkSpec
from explorer.core.settings import Settings
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.networks import catalog
from explorer.networks.entry import Entry, WeightsOption
from explorer.ui.jobs.background import BackgroundJobs, Phase
from explorer.ui.photos import exporter
from explorer.ui.results.table import TableWidget
from explorer.ui.shell.bridge import Bridge, Ready
from explorer.ui.shell.window import Window
from explorer.ui.widgets.small_widgets import Label
from explorer.views.evaluation.evaluation.view import Params
from tests.evaluation.sets import GREEN, RED, class_folders, color_network, filled, voc_set

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

WAIT = 60_000
CONTROL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def window(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Window]:
    """The real window with toys for networks, which load in no time."""
    option = WeightsOption("toy", "by hand", "shipped")
    entries = tuple(
        Entry(task, f"Toy {task}", task, "embedded", "A toy.", (option,))  # type: ignore[arg-type]
        for task in ("classification", "detection", "segmentation")
    )

    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Any]:
        yield Step(None, 0, 1, "making it")
        return color_network(spec.name)

    def start_up() -> Generator[Step[Any], Any, None]:
        from explorer.views import discover

        defaults = {entry.task: NetworkSpec(entry.name) for entry in entries}
        yield Step(Ready(discover(), entries, (("cpu", "CPU"),), defaults))

    monkeypatch.setattr(catalog, "load", load)
    new = Window(Settings(), bridge=Bridge(start_up=start_up))
    new.resize(1200, 800)
    with qtbot.waitSignal(new.loaded, timeout=WAIT):
        new.show()
    new.study.start_with(NetworkSpec("classification"))
    yield new
    new.close()
    new.bridge.deleteLater()
    new.deleteLater()


def asked(window: Window, folder: Path, photos: str = "all") -> None:
    """The view with this data set; its work begins."""
    window.study.set_view("evaluation", Params(FolderRef(str(folder)), photos=photos))


def many_photos(root: Path) -> Path:
    for name, color in (("red", RED), ("green", GREEN)):
        for number in range(400):
            filled(root / name / f"{number}.png", color)
    return root


def test_the_key_opens_it_and_a_folder_starts_it(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    qtbot.keyClick(window, Qt.Key.Key_E, CONTROL_SHIFT)
    assert window.study.view is not None
    assert window.study.view.name == "evaluation"
    assert "No data set" in window.inspector.error.message
    assert window.inspector.error.kind == "info", "nothing has gone wrong"
    assert window.jobs.all == ()
    window.inspector.form.set_value("folder", FolderRef(str(class_folders(tmp_path))))
    assert not window.inspector.error.isVisible(), "while it runs it is chosen"
    assert window.study.board is None
    assert window.board.board is None, "nothing of another view"
    labels = window.board.findChildren(Label)
    assert not any(label.isVisible() for label in labels), "nor of what was missing"
    (found,) = window.jobs.all
    assert found.job.title == "classification on " + tmp_path.name
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)
    assert not window.inspector.error.isVisible()
    assert "top-1 80.0%" in window.results.summary
    assert any("violet" in n for n in window.inspector.notes)
    qtbot.waitUntil(lambda: window.results.tabs.count() > 2, timeout=WAIT)
    photos = window.results.tab("photos")
    assert isinstance(photos, TableWidget)
    assert photos.table_model().index(0, 0).data() == "red/c.png"


def test_a_click_on_a_row_opens_its_photo_and_back_leads_here_again(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    window.study.start_with(NetworkSpec("detection"))
    asked(window, voc_set(tmp_path))
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)
    window.study.set_param("iou", 0.75)
    window.study.set_param("min_score", 0.25)
    photos = window.results.tab("photos")
    assert isinstance(photos, TableWidget)
    photos.clicked.emit(photos.table_model().index(0, 1))
    qtbot.waitUntil(lambda: window.study.image is not None, timeout=WAIT)
    study = window.study
    assert study.image is not None
    assert study.image.path == tmp_path / "JPEGImages" / "p.png"
    assert study.view is not None
    assert study.view.name == "detections"
    qtbot.waitUntil(lambda: len(study.truth) > 0, timeout=WAIT)
    shown = (study.params.score, study.params.iou, study.params.classes)
    assert shown == (0.25, 0.75, ("red",)), "the matches that were counted"
    window.trail.back()
    assert study.view.name == "evaluation"
    assert study.board is not None
    assert not study.running
    assert len(window.jobs.all) == 1, "what was found is kept"
    assert "voc_AP 50.0%" in window.results.summary


def test_the_button_saves_a_report(
    qtbot: QtBot, window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "out.html"
    monkeypatch.setattr(exporter, "ask_save_place", lambda *_args, **_how: (str(place), ""))
    window.study.start_with(NetworkSpec("detection"))
    asked(window, voc_set(tmp_path / "data"))
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)
    qtbot.mouseClick(window.inspector.action_buttons.buttons["report"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(place.exists, timeout=WAIT)
    text = place.read_text(encoding="utf-8")
    assert "<h2>Errors</h2>" in text
    assert len(window.jobs.all) == 1, "nothing was evaluated again"


def test_data_and_network_that_do_not_fit_are_one_sentence(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    window.study.start_with(NetworkSpec("detection"))
    asked(window, class_folders(tmp_path))
    qtbot.waitUntil(window.inspector.error.isVisible, timeout=WAIT)
    assert "has none" in window.inspector.error.message
    window.study.use("classification")
    qtbot.waitUntil(lambda: "top-1" in window.results.summary, timeout=WAIT)
    assert not window.inspector.error.isVisible()


def test_cancelled_it_keeps_what_it_has_and_other_parameters_take_its_place(
    qtbot: QtBot, window: Window, tmp_path: Path, home: Path
) -> None:
    asked(window, many_photos(tmp_path))
    qtbot.waitUntil(lambda: "of 800" in window.results.summary, timeout=WAIT)
    window.study.set_param("photos", "500")
    (found,) = window.jobs.all
    assert found.job.params["limit"] == 500
    qtbot.waitUntil(lambda: "of 500" in window.results.summary, timeout=WAIT)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert window.jobs.all, "Esc ends no hours of work"
    window.inspector.strip.cancel.click()
    assert window.jobs.all == ()
    assert not window.study.running
    assert "of 500" in window.results.summary
    qtbot.waitUntil(lambda: not window.bridge.busy, timeout=WAIT)
    assert not list((home / "data" / "jobs").glob("*")), "nothing is taken up after a restart"
    window.study.look_again()
    assert len(window.jobs.all) == 1


def test_annotations_beside_the_photo_are_used_at_once(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    window.intake.open_paths([voc_set(tmp_path)])
    qtbot.waitUntil(lambda: window.study.image is not None, timeout=WAIT)
    qtbot.keyClick(window, Qt.Key.Key_E, CONTROL_SHIFT)
    qtbot.waitUntil(lambda: "voc_AP 50.0%" in window.results.summary, timeout=WAIT)
    assert window.study.spec == NetworkSpec("detection")
    assert window.study.params.folder == FolderRef(str(tmp_path))


def test_it_goes_on_behind_questions_and_tells_when_it_is_done(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    asked(window, many_photos(tmp_path / "data"))
    (found,) = window.jobs.all
    qtbot.waitUntil(lambda: found.phase is Phase.RUNNING and found.share > 0, timeout=WAIT)
    window.study.set_view("classify")
    for color, name in ((RED, "r"), (GREEN, "g")):
        window.intake.open_paths([str(filled(tmp_path / f"{name}.png", color))])
        qtbot.waitUntil(
            lambda name=name: (
                window.study.image is not None
                and window.study.image.name == f"{name}.png"
                and window.study.board is not None
            ),
            timeout=WAIT,
        )
    assert not found.phase.over, "the questions came first, and ended nothing"
    assert window.study.job_id == ""
    qtbot.waitUntil(lambda: found.phase is Phase.DONE, timeout=WAIT)
    assert found.value.figures["top1"] == 1.0
    (card,) = [card for card in window.notices.cards if "Evaluation finished" in card.notice.text]
    card.buttons[0].click()
    assert window.study.job_id == found.job.id
    assert "top-1 100.0%" in window.results.summary


def test_the_next_run_of_the_program_goes_on_with_it(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    asked(window, many_photos(tmp_path / "data"))
    (found,) = window.jobs.all
    qtbot.waitUntil(lambda: found.share > 0.1, timeout=WAIT)
    window.study.pause(True)
    assert window.inspector.strip.pause.isChecked()
    qtbot.waitUntil(lambda: found.value is not None, timeout=WAIT)
    window.finish()  # the checkpoint is written, the files are let go of
    reached = found.value.photos

    bridge = Bridge()
    later = BackgroundJobs(bridge, window)
    later.restore()
    qtbot.waitUntil(lambda: len(later.all) == 1, timeout=WAIT)
    (again,) = later.all
    assert again.phase is Phase.PAUSED
    later.pause(again.job.id, False)
    qtbot.waitUntil(lambda: again.value is not None, timeout=WAIT)
    assert again.value.photos >= reached > 1
    qtbot.waitUntil(lambda: again.phase is Phase.DONE, timeout=WAIT)
    assert again.value.photos == 800
    assert bridge.close()
    later.close()


def test_a_view_that_is_remembered_starts_nothing_and_takes_up_its_job(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    folder = class_folders(tmp_path)
    window.study.restore({"evaluation": Params(FolderRef(str(folder)))})
    window.study.stand("evaluation", None)
    assert window.jobs.all == ()
    assert not window.study.running
    assert window.study.view is not None
    assert window.study.view.job is not None
    assert window.study.spec is not None
    job = window.study.view.job
    wanted = job.params(window.study.spec, window.study.params)
    started = window.jobs.start(job.kind, "as if from an earlier run", wanted)
    assert window.study.job_id == started
    qtbot.waitUntil(lambda: "top-1 80.0%" in window.results.summary, timeout=WAIT)
