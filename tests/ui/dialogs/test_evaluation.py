"""The evaluation sheet in the real window: opened, clicked, cancelled, sorted and saved."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from explorer.core.network_info import NetworkSpec
from explorer.core.settings import Settings
from explorer.core.step import Step
from explorer.networks import catalogue
from explorer.networks.entry import Entry, WeightsOption
from explorer.ui.dialogs.evaluation import EvaluationSheet
from explorer.ui.jobs.background import BackgroundJobs, Phase
from explorer.ui.shell.bridge import Bridge, Ready
from explorer.ui.shell.window import Window
from tests.evaluation.sets import GREEN, RED, class_folders, color_network, filled, voc_set

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

WAIT = 60_000
LEFT = Qt.MouseButton.LeftButton


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

    monkeypatch.setattr(catalogue, "load", load)
    new = Window(Settings(), bridge=Bridge(start_up=start_up))
    new.resize(1200, 800)
    with qtbot.waitSignal(new.loaded, timeout=WAIT):
        new.show()
    yield new
    new.close()
    new.bridge.deleteLater()
    new.deleteLater()


def opened(qtbot: QtBot, window: Window) -> EvaluationSheet:
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(window, Qt.Key.Key_P, control | shift)
    palette = window.sheets.palette
    assert palette is not None
    qtbot.keyClicks(palette.field, "evaluate on")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    sheet = window.sheets.evaluation
    assert sheet is not None
    assert sheet.isVisible()
    return sheet


def choosing(monkeypatch: pytest.MonkeyPatch, path: Path, kind: str = "") -> None:
    """The system's dialogs answer with `path`."""
    answer: Callable[..., Any] = lambda *_: str(path)  # noqa: E731
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", answer)
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: (str(path), kind))


def cells(sheet: EvaluationSheet) -> list[list[str]]:
    model = sheet.classes.table_model()
    columns = range(model.columnCount())
    return [[model.index(row, c).data() for c in columns] for row in range(model.rowCount())]


def test_choose_evaluate_sort_and_save(
    qtbot: QtBot, window: Window, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sheet = opened(qtbot, window)
    assert sheet.empty.isVisible()
    assert not sheet.start_button.isEnabled()
    assert not sheet.save.isEnabled()
    choosing(monkeypatch, class_folders(tmp_path / "data"))
    qtbot.mouseClick(sheet.folder, LEFT)
    sheet.network.setCurrentIndex(sheet.network.findText("Toy classification"))
    qtbot.mouseClick(sheet.start_button, LEFT)
    assert sheet.running
    assert not sheet.empty.isVisible()
    qtbot.waitUntil(lambda: not sheet.running, timeout=WAIT)
    assert "top1 80.0%" in sheet.headline.text()
    assert "has no class for 1 class of the data set: violet." in sheet.words.text()
    assert sheet.figures.table_model().rowCount() == 2
    assert [row[0] for row in cells(sheet)] == ["red", "green"]

    header = sheet.classes.horizontalHeader()
    middle = QPoint(header.sectionViewportPosition(0) + 20, header.height() // 2)
    qtbot.mouseClick(header.viewport(), LEFT, pos=middle)
    assert [row[0] for row in cells(sheet)] == ["green", "red"]

    for name, kind in (("figures.json", ""), ("tables.csv", "")):
        choosing(monkeypatch, tmp_path / name, kind)
        qtbot.mouseClick(sheet.save, LEFT)
        qtbot.waitUntil((tmp_path / name).exists, timeout=WAIT)
        qtbot.waitUntil(lambda name=name: name in sheet.said.text(), timeout=WAIT)
    assert json.loads((tmp_path / "figures.json").read_text())["top1"] == pytest.approx(0.8)
    assert "red,0.66" in (tmp_path / "tables.csv").read_text()
    qtbot.mouseClick(sheet.close_button, LEFT)
    assert not sheet.isVisible()
    assert "top1" in opened(qtbot, window).headline.text(), "what was found stays"


def test_what_does_not_fit_is_one_sentence(
    qtbot: QtBot, window: Window, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sheet = opened(qtbot, window)
    choosing(monkeypatch, class_folders(tmp_path))
    qtbot.mouseClick(sheet.folder, LEFT)
    sheet.network.setCurrentIndex(sheet.network.findText("Toy detection"))
    qtbot.mouseClick(sheet.start_button, LEFT)
    qtbot.waitUntil(sheet.error.isVisible, timeout=WAIT)
    assert "has none" in sheet.error.message
    assert "choose a classifier" in sheet.error.hint
    assert not sheet.running
    sheet.network.setCurrentIndex(sheet.network.findText("Toy classification"))
    qtbot.mouseClick(sheet.start_button, LEFT)
    assert not sheet.error.isVisible()
    qtbot.waitUntil(lambda: not sheet.running, timeout=WAIT)
    assert "top1" in sheet.headline.text()


def many_photos(root: Path) -> Path:
    for name, colour in (("red", RED), ("green", GREEN)):
        for number in range(400):
            filled(root / name / f"{number}.png", colour)
    return root


def test_it_is_cancelled_in_the_middle_and_keeps_what_it_has(
    qtbot: QtBot, window: Window, tmp_path: Path, home: Path
) -> None:
    many_photos(tmp_path)
    sheet = opened(qtbot, window)
    sheet.set_data(tmp_path)
    sheet.limit.setCurrentIndex(sheet.limit.findData(0))
    sheet.network.setCurrentIndex(sheet.network.findText("Toy classification"))
    qtbot.mouseClick(sheet.start_button, LEFT)
    qtbot.waitUntil(lambda: "of 800" in sheet.words.text() and "top1" in sheet.headline.text(),
                    timeout=WAIT)  # fmt: skip
    qtbot.mouseClick(sheet.strip.cancel, LEFT)
    assert not sheet.running
    assert "of 800" in sheet.words.text()
    assert sheet.save.isEnabled()
    assert window.jobs.all == ()
    qtbot.waitUntil(lambda: not window.bridge.busy, timeout=WAIT)
    assert not list((home / "data" / "jobs").glob("*")), "nothing is taken up after a restart"
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_annotations_beside_the_photo_are_used_at_once(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    window.intake.open_paths([voc_set(tmp_path)])
    qtbot.waitUntil(lambda: window.study.image is not None, timeout=WAIT)
    sheet = opened(qtbot, window)
    qtbot.waitUntil(lambda: "voc_AP 50.0%" in sheet.headline.text(), timeout=WAIT)
    assert sheet.data == tmp_path
    assert sheet.network.currentText() == "Toy detection"
    sheet.close_sheet()
    qtbot.waitUntil(lambda: not sheet.running, timeout=WAIT)
    again = opened(qtbot, window)
    qtbot.waitUntil(lambda: not window.bridge.busy, timeout=WAIT)
    QApplication.processEvents()  # what lies beside the photo was found again
    assert not again.running, "once is enough"


def test_a_closed_sheet_tells_when_it_is_done(qtbot: QtBot, window: Window, tmp_path: Path) -> None:
    sheet = opened(qtbot, window)
    sheet.set_data(class_folders(tmp_path))
    sheet.network.setCurrentIndex(sheet.network.findText("Toy classification"))
    sheet.close_sheet()
    sheet.start()
    qtbot.waitUntil(lambda: any("top1 80.0%" in t for t in window.notices.texts), timeout=WAIT)
    (card,) = window.notices.cards
    qtbot.mouseClick(card.buttons[0], LEFT)
    assert sheet.isVisible()


def test_it_goes_on_behind_questions_and_through_a_change_of_photo(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    sheet = opened(qtbot, window)
    sheet.set_data(many_photos(tmp_path / "data"))
    sheet.limit.setCurrentIndex(sheet.limit.findData(0))
    sheet.network.setCurrentIndex(sheet.network.findText("Toy classification"))
    sheet.start()
    (found,) = window.jobs.all
    qtbot.waitUntil(lambda: found.phase is Phase.RUNNING and found.share > 0, timeout=WAIT)
    sheet.close_sheet()
    for colour, name in ((RED, "r"), (GREEN, "g")):
        window.intake.open_paths([str(filled(tmp_path / f"{name}.png", colour))])
        qtbot.waitUntil(
            lambda name=name: (
                window.study.image is not None
                and window.study.image.name == f"{name}.png"
                and window.study.board is not None
            ),
            timeout=WAIT,
        )
    window.study.set_view("feature_maps")
    qtbot.waitUntil(lambda: not window.study.running, timeout=WAIT)
    assert not found.phase.over, "the questions came first, and ended nothing"
    qtbot.waitUntil(lambda: found.phase is Phase.DONE, timeout=WAIT)
    assert found.value.figures["top1"] == 1.0
    assert any("Evaluation finished" in text for text in window.notices.texts)


def test_the_next_run_of_the_program_goes_on_with_it(
    qtbot: QtBot, window: Window, tmp_path: Path
) -> None:
    sheet = opened(qtbot, window)
    data = many_photos(tmp_path / "data")
    sheet.set_data(data)
    sheet.limit.setCurrentIndex(sheet.limit.findData(0))
    sheet.network.setCurrentIndex(sheet.network.findText("Toy classification"))
    sheet.start()
    (found,) = window.jobs.all
    qtbot.waitUntil(lambda: found.share > 0.1, timeout=WAIT)
    window.jobs.pause(found.job.id)
    qtbot.waitUntil(lambda: found.value is not None, timeout=WAIT)
    window.finish()  # the checkpoint is written, the files are let go of
    reached = found.value.photos

    later = BackgroundJobs(Bridge(), window)
    later.restore()
    qtbot.waitUntil(lambda: len(later.all) == 1, timeout=WAIT)
    (again,) = later.all
    assert (again.phase, again.job.title) == (Phase.PAUSED, "Toy classification on data")
    window.jobs, window.bridge = later, later._bridge
    sheet.show_job(again.job.id)
    assert sheet.data == data
    assert sheet.limit.currentData() == 0
    assert sheet.network.currentText() == "Toy classification"
    assert sheet.strip.pause.isChecked()
    later.pause(again.job.id, False)
    qtbot.waitUntil(lambda: again.value is not None, timeout=WAIT)
    assert again.value.photos >= reached > 1
    qtbot.waitUntil(lambda: again.phase is Phase.DONE, timeout=WAIT)
    assert again.value.photos == 800
    assert later._bridge.close()
    later.close()
