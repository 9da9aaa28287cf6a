"""What leaves the window: files that are right, and sentences when there is nothing or no way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import pypdf
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from explorer.core.params import Box
from explorer.core.runner import State
from explorer.saving import film as film_files
from explorer.saving.export import ImageInfo, LabeledBoxes, read_metadata
from explorer.ui.dialogs.figure import FigureOptions, FigureSheet
from explorer.ui.photos.exporter import Exporter
from tests.ui.toy_desk import ToyPanels, photo

BOXES = LabeledBoxes(np.array([[1, 2, 11, 22]], np.float32), ("cat",), np.array([0.5], np.float32))


@pytest.fixture
def exporter(panels: ToyPanels) -> Exporter:
    return Exporter(panels, panels.board)


@pytest.fixture
def answered(panels: ToyPanels) -> ToyPanels:
    """A photo has been answered and is on the canvas."""
    panels.study.seed = 7
    panels.study.set_image(photo())
    panels.bridge.answer()
    panels.board.set_board(panels.study.board)
    return panels


def said(panels: ToyPanels, qtbot: QtBot) -> str:
    qtbot.waitUntil(lambda: bool(panels.notices.texts), timeout=20_000)
    (words,) = panels.notices.texts
    panels.notices.clear()
    return words


def answer_dialog(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[str, list[str]], tuple[str, str]]
) -> None:
    """`answer(start, kinds)` is what the user does in the file dialog."""

    def ask(_: Any, __: str, start: str, kinds: str) -> tuple[str, str]:
        return answer(start, kinds.split(";;"))

    monkeypatch.setattr("explorer.ui.dialogs.save_place.QFileDialog.getSaveFileName", ask)


def test_the_whole_board_as_a_picture_says_how_to_make_it_again(
    answered: ToyPanels, exporter: Exporter, qtbot: QtBot, tmp_path: Path
) -> None:
    place = tmp_path / "board.png"
    exporter.write_picture(str(place), whole=True)
    assert said(answered, qtbot) == f"Saved {place}"
    with PIL.Image.open(place) as image:
        assert image.width > 60
    metadata = read_metadata(place)
    assert metadata["view"] == "classify"
    assert metadata["network"]["name"] == "sorter"
    assert metadata["seed"] == 7
    assert metadata["parameters"]["score"] == 0.5


def test_the_picture_alone_has_the_photos_size_and_pixels(
    answered: ToyPanels, exporter: Exporter, qtbot: QtBot, tmp_path: Path
) -> None:
    place = tmp_path / "alone.png"
    exporter.write_picture(str(place), whole=False)
    said(answered, qtbot)
    with PIL.Image.open(place) as image:
        assert image.size == (60, 40)
        assert image.getpixel((30, 20)) == (90, 90, 90)


def test_numbers_are_those_of_the_table(
    answered: ToyPanels, exporter: Exporter, qtbot: QtBot, tmp_path: Path
) -> None:
    place = tmp_path / "numbers.json"
    answered.study.set_params(replace(answered.study.params, score=0.25))
    exporter.write_data(str(place))
    assert said(answered, qtbot) == f"Saved {place}"
    text = place.read_text()
    assert json.loads(text)
    assert "90.0" in text, "the mean of the gray photo"
    assert "0.25" in text, "as it is drawn now"


def test_boxes_as_coco(
    answered: ToyPanels, exporter: Exporter, qtbot: QtBot, tmp_path: Path
) -> None:
    place = tmp_path / "boxes.json"
    exporter.write_boxes(str(place), BOXES, ImageInfo("cat.png", 60, 40), "coco")
    said(answered, qtbot)
    found = json.loads(place.read_text())
    (box,) = found["annotations"] if isinstance(found, dict) else found
    assert box["bbox"] == [1, 2, 10, 20]


def test_without_a_result_nothing_is_asked_and_that_is_said(
    panels: ToyPanels, exporter: Exporter, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answer_dialog(monkeypatch, lambda start, _: (asked.append(start) or "", ""))
    for act in (exporter.save_picture, exporter.export, exporter.copy):
        act()
    assert asked == []
    assert said(panels, qtbot) == "There is no result to save yet."


def test_a_folder_that_is_gone_is_a_sentence_and_leaves_no_file(
    answered: ToyPanels, exporter: Exporter, qtbot: QtBot, tmp_path: Path
) -> None:
    place = tmp_path / "gone" / "numbers.json"
    exporter.write_data(str(place))
    words = said(answered, qtbot)
    assert "Saved" not in words
    assert not place.parent.exists()


def test_the_dialog_proposes_a_name_and_a_bare_name_gets_its_suffix(
    answered: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts: list[str] = []

    def choose(start: str, kinds: list[str]) -> tuple[str, str]:
        starts.append(start)
        return str(tmp_path / "mine"), kinds[0]

    answer_dialog(monkeypatch, choose)
    exporter.export()
    exporter.sheet.go_on.click()
    assert said(answered, qtbot) == f"Saved {tmp_path / 'mine.json'}"
    exporter.save_picture()
    exporter.sheet.go_on.click()
    assert said(answered, qtbot) == f"Saved {tmp_path / 'mine.png'}"
    assert Path(starts[0]).name == "cat-classify.json"
    assert starts[1] == str(tmp_path / "cat-classify.png"), "the folder of the last time"


def test_a_dialog_that_is_left_writes_nothing(
    answered: ToyPanels, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_dialog(monkeypatch, lambda *_: ("", ""))
    for act in (exporter.save_picture, exporter.export):
        act()
        exporter.sheet.go_on.click()
    exporter.screenshot()
    exporter.export()
    exporter.sheet.close_sheet()
    assert not answered.bridge.busy
    assert answered.notices.texts == []


def test_what_and_how_large_stands_in_the_dialog(
    answered: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    offered: list[list[str]] = []
    place = tmp_path / "board.png"

    def choose(_start: str, kinds: list[str]) -> tuple[str, str]:
        offered.append(kinds)
        return str(place), kinds[0]

    answer_dialog(monkeypatch, choose)
    exporter.save_picture()
    sheet = exporter.sheet
    assert sheet.isVisible()
    assert not sheet.rate.isVisible(), "a picture has none"
    sheet.pixels.setValue(500)
    sheet.go_on.click()
    said(answered, qtbot)
    with PIL.Image.open(place) as image:
        assert image.width == 500
    assert offered == [["All panes (*.png *.jpg *.webp *.tif)"]], "no list of kinds"


def test_what_was_chosen_last_is_chosen_again(
    answered: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who saves ten pictures for a lecture sets their width once."""
    answer_dialog(monkeypatch, lambda _, kinds: (str(tmp_path / "board.png"), kinds[0]))
    exporter.save_picture()
    exporter.sheet.pixels.setValue(500)
    exporter.sheet.go_on.click()
    said(answered, qtbot)
    exporter.save_picture()
    assert exporter.sheet.pixels.value() == 500
    exporter.sheet.what.setCurrentIndex(1)
    exporter.sheet.go_on.click()
    said(answered, qtbot)
    exporter.save_picture()
    assert exporter.sheet.what.currentText() == "Picture only, full size"
    exporter.sheet.what.setCurrentIndex(0)
    assert exporter.sheet.pixels.value() == 500
    exporter.sheet.close_sheet()
    exporter.export()
    assert exporter.sheet.what.currentIndex() == 0, "of another list"
    exporter.sheet.close_sheet()


def test_enter_presses_the_marked_button_or_the_one_with_the_keyboard(
    answered: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer_dialog(monkeypatch, lambda _, kinds: (str(tmp_path / "board.png"), kinds[0]))
    exporter.save_picture()
    cancel = next(b for b in exporter.sheet.findChildren(QPushButton) if b.text() == "Cancel")
    cancel.setFocus()
    qtbot.keyClick(cancel, Qt.Key.Key_Return)
    assert exporter.sheet.isHidden()
    assert not list(tmp_path.iterdir())
    exporter.save_picture()
    qtbot.keyClick(exporter.sheet.what, Qt.Key.Key_Return)
    assert said(answered, qtbot).startswith("Saved ")


def test_a_film_of_steps_has_a_size_and_a_rate(
    panels: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study, film = panels.study, panels.bridge.step_film
    study.set_view("dream")
    study.set_image(photo())
    for _ in range(4):
        panels.bridge.answer(state=State.RUNNING)
        film.keep(study.answer)
    place = tmp_path / "steps.gif"
    answer_dialog(monkeypatch, lambda _, kinds: (str(place), kinds[0]))
    exporter.export()
    sheet = exporter.sheet
    assert sheet.what.currentText() == "Film of the steps"
    sheet.pixels.setValue(320)
    sheet.rate.setValue(5)
    sheet.go_on.click()
    words = said(panels, qtbot)
    with PIL.Image.open(place) as image:
        assert max(image.size) == 320
        assert image.info["duration"] == 4 * 200, "four equal frames, each shown for a fifth second"
        wide, high = image.size
    size = f"{wide} x {high} pixels"
    assert words == f"Saved {place}: 4 frames, {size}, 5 frames per second."


def test_the_last_word_on_a_film_is_what_was_reduced(
    panels: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("explorer.ui.photos.step_film.MOST_FRAMES", 3)
    monkeypatch.setattr("explorer.ui.photos.step_film.MOST_WAITING", 3)
    monkeypatch.setitem(film_files.LONGEST_SIDE, ".gif", 90)
    study, film = panels.study, panels.bridge.step_film
    study.set_view("dream")
    study.set_image(photo())
    for _ in range(10):
        panels.bridge.answer(state=State.RUNNING)
        film.keep(study.answer)
    film.draw()
    frame = next(iter(film.frames()))
    place = tmp_path / "steps.gif"
    exporter.write_film(str(place), size=180, rate=12)
    words = said(panels, qtbot)
    with PIL.Image.open(place) as image:
        (wide, high), played = image.size, image.info["duration"]
    shrunk = 180 / max(frame.shape[:2])
    given = f"{round(frame.shape[1] * shrunk)} x {round(frame.shape[0] * shrunk)}"
    kept = len(film)
    assert kept < 10
    assert played == kept * 80
    assert max(wide, high) == 90
    assert words == (
        f"Saved {place}: {kept} of 10 steps, {wide} x {high} instead of {given} pixels, "
        "12.5 instead of 12 frames per second."
    )


def test_what_is_seen_is_copied(answered: ToyPanels, exporter: Exporter) -> None:
    exporter.copy()
    image = QGuiApplication.clipboard().image()
    seen = answered.board.grab_rgb()
    assert (image.width(), image.height()) == (seen.shape[1], seen.shape[0])
    spot = seen[seen.shape[0] // 2, seen.shape[1] // 2]
    assert image.pixelColor(image.width() // 2, image.height() // 2).getRgb()[:3] == tuple(spot)
    assert answered.notices.texts == ["Copied."]


def test_the_whole_window_as_a_picture(
    answered: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = tmp_path / "window.png"
    answer_dialog(monkeypatch, lambda _, kinds: (str(place), kinds[0]))
    exporter.screenshot()
    said(answered, qtbot)
    main = answered.main
    with PIL.Image.open(place) as image:
        ratio = main.devicePixelRatio()
        assert image.size == (round(main.width() * ratio), round(main.height() * ratio))


def test_ground_truth_is_saved_when_there_is_some(
    answered: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = tmp_path / "truth.txt"
    answer_dialog(monkeypatch, lambda _, kinds: (str(place), kinds[-1]))
    exporter.save_truth()
    assert said(answered, qtbot) == "This photo has no ground truth to save."
    assert answered.study.image is not None
    cat = Box(0, 0, 30, 20, "cat", difficult=True)
    answered.study.photo_truth.put(answered.study.image.key, (cat,))
    exporter.save_truth()
    titles = [exporter.sheet.what.itemText(row) for row in range(exporter.sheet.what.count())]
    exporter.sheet.what.setCurrentIndex(titles.index("Boxes as YOLO"))
    exporter.sheet.go_on.click()
    assert said(answered, qtbot) == (
        f"Saved {place}. YOLO has no flag for 1 difficult object, which counts as an ordinary "
        "object there."
    )
    assert place.read_text().split()[1:] == ["0.250000", "0.250000", "0.500000", "0.500000"]


def test_copy_as_python_asks_the_same(
    answered: ToyPanels, exporter: Exporter, qtbot: QtBot, tmp_path: Path
) -> None:
    study = answered.study
    study.set_image(replace(photo(), path=tmp_path / "cat.png"))
    study.set_params(replace(study.params, depth=3, score=0.25))
    answered.bridge.answer()
    exporter.copy_python()
    assert "same result" in said(answered, qtbot)
    script = QGuiApplication.clipboard().text()
    assert compile(script, "script", "exec")
    place = str(tmp_path / "cat.png")
    for words in (
        '"classify"',
        f'"{place}"',
        'network="sorter"',
        "depth=3",
        "score=0.25",
        "seed=7",
    ):
        assert words in script


def test_a_photo_that_is_no_file_cannot_be_copied_as_python(
    answered: ToyPanels, exporter: Exporter, qtbot: QtBot
) -> None:
    QGuiApplication.clipboard().setText("before")
    exporter.copy_python()
    assert said(answered, qtbot) == (
        "cat.png is not a file, so no script can open it. Save the photo first."
    )
    assert QGuiApplication.clipboard().text() == "before"


def test_files_of_boxes_name_the_photo_by_its_file(
    answered: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    study = answered.study
    study.set_image(replace(photo("shown as this.png"), path=tmp_path / "really this.png"))
    monkeypatch.setattr(type(study), "truth", (Box(1, 2, 11, 22, "cat"),))
    place = tmp_path / "truth.json"
    answer_dialog(monkeypatch, lambda _, kinds: (str(place), kinds[0]))
    exporter.save_truth()
    exporter.sheet.go_on.click()
    said(answered, qtbot)
    assert json.loads(place.read_text())["images"][0]["file_name"] == "really this.png"


def test_a_figure_is_asked_its_size_and_written_with_it(
    answered: ToyPanels,
    exporter: Exporter,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for width in (120.0, 60.0):
        place = tmp_path / f"figure-{width:g}.svg"
        bare = str(place.with_suffix(""))
        answer_dialog(monkeypatch, lambda _, kinds, bare=bare: (bare, kinds[0]))
        exporter.save_picture()
        exporter.sheet.what.setCurrentIndex(2)
        exporter.sheet.go_on.click()
        (sheet,) = answered.main.findChildren(FigureSheet)
        if width == 60.0:
            assert sheet.width_mm.value() == 120.0, "as the last time"
        sheet.width_mm.setValue(width)
        sheet.font_size.setValue(6.0)
        sheet.save.click()
        qtbot.waitUntil(lambda: not answered.main.findChildren(FigureSheet))
        assert said(answered, qtbot) == f"Saved {place}"
        root = ElementTree.parse(place).getroot()
        assert float(root.attrib["width"].removesuffix("mm")) == pytest.approx(width, abs=0.02)
        sizes = {e.get("font-size") for e in root.iter("{http://www.w3.org/2000/svg}text")}
        assert "6" in sizes
        assert read_metadata(place)["view"] == "classify"


def test_a_figure_that_is_cancelled_is_not_written(
    answered: ToyPanels, exporter: Exporter, qtbot: QtBot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    answer_dialog(monkeypatch, lambda _, __: (str(tmp_path / "figure.pdf"), ""))
    exporter.save_picture()
    exporter.sheet.what.setCurrentIndex(2)
    exporter.sheet.go_on.click()
    (sheet,) = answered.main.findChildren(FigureSheet)
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not answered.main.findChildren(FigureSheet))
    assert list(tmp_path.iterdir()) == []
    assert answered.notices.texts == []


def test_the_picture_alone_as_a_pdf_and_letters_that_are_too_large(
    answered: ToyPanels, exporter: Exporter, qtbot: QtBot, tmp_path: Path
) -> None:
    place = tmp_path / "figure.pdf"
    exporter.write_figure(str(place), FigureOptions(width_mm=50.8, whole=False))
    assert said(answered, qtbot) == f"Saved {place}"
    (page,) = pypdf.PdfReader(place).pages
    assert float(page.mediabox.width) == pytest.approx(144, abs=0.1)
    assert float(page.mediabox.height) == pytest.approx(96, abs=0.1)
    exporter.write_figure(str(tmp_path / "b.pdf"), FigureOptions(width_mm=20, font_size=70))
    assert "too large" in said(answered, qtbot)
