"""An ONNX file is dropped: what is unclear is asked once, and what was answered is remembered."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from explorer.core.network_info import NetworkSpec
from explorer.networks.onnx import cards
from explorer.ui.navigation.checkpoints import Checkpoints
from explorer.ui.navigation.note_ways import ways_for_notes
from explorer.ui.opening.onnx_sheet import OnnxSheet
from explorer.ui.photos.intake import Intake
from tests.networks.onnx_files import classifier
from tests.ui.toy_desk import INFO, SORTER, ToyPanels, photo

WAIT = 30_000
TOLD = {"names": "{0: 'cat', 1: 'dog', 2: 'hen'}", "task": "classify", "author": "Ultralytics"}
PETS = NetworkSpec("pets-onnx")


@pytest.fixture
def files(panels: ToyPanels) -> Checkpoints:
    made = Checkpoints(panels)
    panels.study.set_image(photo())
    panels.bridge.answer()
    return made


def asked(files: Checkpoints, qtbot: QtBot) -> OnnxSheet:
    qtbot.waitUntil(lambda: files.onnx.sheet is not None, timeout=WAIT)
    sheet = files.onnx.sheet
    assert sheet is not None
    return sheet


def used(panels: ToyPanels, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: panels.study.spec == PETS and panels.bridge.open, timeout=WAIT)


def test_what_is_unclear_is_asked_once(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    path = classifier(tmp_path / "pets.onnx")
    intake = Intake(panels, panels.strip)
    intake.checkpoint.connect(files.open)
    intake.open_paths([str(path)])
    sheet = asked(files, qtbot)
    assert panels.study.spec == SORTER, "nothing is loaded yet"
    assert panels.notices.texts == []
    assert sheet.reason.text() == "Output 1 x 3: a score for each of 3 classes."
    sheet.scale.setCurrentIndex(sheet.scale.findData("half"))
    qtbot.keyClick(sheet, Qt.Key.Key_Return)
    used(panels, qtbot)
    assert files.onnx.sheet is None
    (card,) = cards.every()
    assert card.answered
    assert card.preprocess.mean == (0.5, 0.5, 0.5)
    entry = panels.study.entry()
    assert entry is not None
    assert entry.title == "pets"
    panels.study.set_network(SORTER)
    intake.open_paths([str(path)])
    used(panels, qtbot)
    assert files.onnx.sheet is None, "tomorrow nothing is asked again"


def test_where_all_is_clear_nothing_is_asked(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    files.open(str(classifier(tmp_path / "pets.onnx", metadata=TOLD)))
    used(panels, qtbot)
    assert files.onnx.sheet is None


def test_cancel_keeps_the_old_network(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    path = str(classifier(tmp_path / "pets.onnx"))
    files.open(path)
    qtbot.keyClick(asked(files, qtbot), Qt.Key.Key_Escape)
    assert files.onnx.sheet is None
    assert panels.study.spec == SORTER
    assert panels.study.board is not None
    assert cards.every() == (), "it is asked again the next time"
    files.open(path)
    asked(files, qtbot)


def test_answers_are_changed_from_the_panel(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    files.open(str(classifier(tmp_path / "pets.onnx", metadata=TOLD)))
    used(panels, qtbot)
    panels.bridge.answer(info=dataclasses.replace(INFO, spec=PETS))
    before = len(panels.bridge.asked)
    panel = panels.networks.panel
    panels.networks.set_spec(PETS)
    panels.networks.open()
    assert panel.answers.isVisible()
    assert not panel.checkpoint.isVisible(), "the file is the network"
    panel.answers.click()
    sheet = asked(files, qtbot)
    assert not panel.isVisible()
    assert sheet.use_button.text() == "Apply"
    sheet.order.setCurrentIndex(sheet.order.findData("BGR"))
    sheet.use_button.click()
    qtbot.waitUntil(lambda: len(panels.bridge.asked) > before, timeout=WAIT)
    assert panels.study.spec == PETS
    assert panels.study.answer is None, "the old answer is not kept"
    assert cards.every()[0].channel_order == "BGR"


def test_the_task_may_become_one_that_the_view_does_not_support(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    files.open(str(classifier(tmp_path / "pets.onnx", metadata=TOLD)))
    used(panels, qtbot)
    panels.bridge.answer(info=dataclasses.replace(INFO, spec=PETS))
    files.onnx.change("pets-onnx")
    sheet = asked(files, qtbot)
    sheet.task.setCurrentIndex(sheet.task.findData("features"))
    sheet.use_button.click()
    qtbot.waitUntil(lambda: panels.bridge.open, timeout=WAIT)
    entry, view = panels.study.entry(), panels.study.view
    assert entry is not None
    assert entry.task == "features"
    assert view is not None
    assert view.suits("features")


def test_a_list_of_names_is_chosen_or_refused(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    listing = tmp_path / "list.txt"
    listing.write_text("cat\ndog\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(listing), ""))
    files.open(str(classifier(tmp_path / "pets.onnx")))
    sheet = asked(files, qtbot)
    sheet.choose.click()
    qtbot.waitUntil(lambda: sheet.remark.isVisible(), timeout=WAIT)
    assert "list.txt has 2 names, but the network has 3 classes." in sheet.remark.text()
    listing.write_text("cat\ndog\nhen\n")
    sheet.choose.click()
    qtbot.waitUntil(lambda: sheet.names.currentText() == "list.txt (3)", timeout=WAIT)
    assert sheet.remark.isHidden()
    sheet.use_button.click()
    used(panels, qtbot)
    assert cards.every()[0].classes == ("cat", "dog", "hen")


def test_the_photo_is_shown_as_the_input(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    files.open(str(classifier(tmp_path / "pets.onnx")))
    sheet = asked(files, qtbot)
    qtbot.waitUntil(lambda: sheet.preview.isVisible(), timeout=WAIT)
    for scale, words in (("bytes", "values from 90 to 90"), ("unit", "values from 0.35 to 0.35")):
        sheet.scale.setCurrentIndex(sheet.scale.findData(scale))
        qtbot.waitUntil(lambda words=words: words in sheet.preview.caption.text(), timeout=WAIT)
    assert "1 x 3 x 32 x 32, RGB" in sheet.preview.caption.text()


def test_a_damaged_file_is_a_sentence(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"")
    files.open(str(path))
    qtbot.waitUntil(lambda: not panels.inspector.error.isHidden(), timeout=WAIT)
    assert panels.inspector.error.message == "net.onnx is empty."
    assert panels.study.spec == SORTER


def test_a_note_about_what_was_assumed_has_a_button(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    from explorer.networks import catalog

    name = catalog.opened(classifier(tmp_path / "pets.onnx"))
    note = "The file does not say the task: usual ones are assumed."
    assert panels.study.ready is not None
    panels.study.set_ready(dataclasses.replace(panels.study.ready, entries=catalog.entries()))
    panels.study.info = dataclasses.replace(INFO, spec=NetworkSpec(name), notes=(note,))
    ((words, act),) = ways_for_notes(panels)[note]
    assert words == "Change answers…"
    act()
    asked(files, qtbot)


def test_tab_goes_through_the_form(
    files: Checkpoints, panels: ToyPanels, qtbot: QtBot, tmp_path: Path
) -> None:
    files.open(str(classifier(tmp_path / "pets.onnx")))
    sheet = asked(files, qtbot)
    seen = []
    for _ in range(8):
        focus = QApplication.focusWidget()
        assert focus is not None
        assert sheet.isAncestorOf(focus)
        seen.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert seen[:3] == [sheet.task, sheet.names, sheet.choose]
    assert sheet.use_button in seen
