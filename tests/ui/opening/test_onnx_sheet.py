"""The form about an ONNX file: it offers what the file allows, and reads what is set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from explorer.networks import catalog
from explorer.ui.opening.onnx_sheet import OnnxSheet
from tests.networks.onnx_files import classifier, outputs

Open = Callable[[Path], OnnxSheet]


@pytest.fixture
def opened(qtbot: QtBot) -> Open:
    window = QWidget()
    window.resize(1000, 700)
    qtbot.addWidget(window)
    window.show()

    def make(path: Path) -> OnnxSheet:
        sheet = OnnxSheet(window, catalog.questions(path))
        sheet.open_sheet()
        return sheet

    return make


def words(box: object) -> list[object]:
    return [box.itemData(row) for row in range(box.count())]  # type: ignore[attr-defined]


def test_untouched_it_says_what_was_proposed(opened: Open, tmp_path: Path) -> None:
    path = classifier(tmp_path / "pets.onnx")
    assert opened(path).answers() == catalog.questions(path).answers


def test_a_file_of_one_size_has_nothing_to_choose_there(opened: Open, tmp_path: Path) -> None:
    sheet = opened(classifier(tmp_path / "pets.onnx"))
    assert not sheet.width_box.isEnabled()
    assert not sheet.height_box.isEnabled()
    assert words(sheet.fit_box) == ["stretch", "crop", "tight", "center", "corner"]
    assert not sheet.layout_box.isEnabled()
    assert sheet.form.isHidden(), "a classifier has one form"


def test_an_open_size_is_set(opened: Open, tmp_path: Path) -> None:
    sheet = opened(classifier(tmp_path / "pets.onnx", side=None))  # type: ignore[arg-type]
    assert "whole" in words(sheet.fit_box)
    sheet.fit_box.setCurrentIndex(sheet.fit_box.findData("stretch"))
    sheet.width_box.setValue(320)
    sheet.height_box.setValue(200)
    said = sheet.answers()
    assert said is not None
    assert (said.height, said.width) == (200, 320)
    sheet.fit_box.setCurrentIndex(sheet.fit_box.findData("crop"))
    assert not sheet.width_box.isEnabled(), "a center crop is square"
    said = sheet.answers()
    assert said is not None
    assert (said.height, said.width) == (200, 200)


def test_other_numbers_have_to_be_numbers(opened: Open, tmp_path: Path) -> None:
    sheet = opened(classifier(tmp_path / "pets.onnx"))
    assert sheet.mean.isHidden()
    sheet.scale.setCurrentIndex(sheet.scale.findData("own"))
    assert sheet.mean.isVisible()
    sheet.mean.setText("0.1, 0.2, 0.3")
    sheet.std.setText("1, 1, 0")
    assert sheet.answers() is None
    assert not sheet.use_button.isEnabled()
    sheet.std.setText("1, 1, 2")
    said = sheet.answers()
    assert said is not None
    assert (said.mean, said.std) == ((0.1, 0.2, 0.3), (1.0, 1.0, 2.0))
    assert sheet.use_button.isEnabled()


def test_the_form_of_the_outputs_decides_the_names(opened: Open, tmp_path: Path) -> None:
    sheet = opened(outputs(tmp_path / "s.onnx", (1, 100, 4), (1, 100, 81)))
    assert words(sheet.form) == ["ssd", "detr"]
    assert sheet.names.currentText() == "COCO (80)"
    assert sheet.names.toolTip().startswith("person, bicycle, car")
    sheet.task.setCurrentIndex(sheet.task.findData("features"))
    assert sheet.form.isHidden()
    assert sheet.names.isHidden()
    said = sheet.answers()
    assert said is not None
    assert (said.task, said.form, said.names) == ("features", "", ())
    assert sheet.reason.text().endswith("without classes.")
