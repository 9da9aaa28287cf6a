"""Ground truth in the real window: drawn, moved, named, kept with its photo, loaded and offered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from explorer.core import settings
from explorer.core.params import Box, Point
from explorer.core.settings import Settings
from explorer.ui.board.canvas import Canvas
from explorer.ui.shell.window import Window
from explorer.ui.truth.photo_truth import PhotoTruth
from explorer.ui.truth.truth_editor import TruthEditor
from tests.marks import by_hand
from tests.ui.truth_toys import Drawn, RegionParams, toy_view

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

LEFT = Qt.MouseButton.LeftButton
NO_KEYS = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


def photo(folder: Path, name: str, shade: int) -> Path:
    PIL.Image.fromarray(np.full((80, 100, 3), shade, np.uint8)).save(folder / name)
    return folder / name


class Toys:
    """A window with two toy views, the first of them shown."""

    def __init__(self, qtbot: QtBot, window: Window) -> None:
        self.qtbot, self.w = qtbot, window
        self.drawn = Drawn()
        ready = window.study.ready
        assert ready is not None
        toys = [
            toy_view(self.drawn),
            toy_view(self.drawn, "other"),
            toy_view(self.drawn, "region", RegionParams),
        ]
        views = {**ready.views, **{view.name: view for view in toys}}
        window.set_ready(replace(ready, views=views))
        self.show("toy")

    def show(self, view: str) -> None:
        self.w.study.set_view(view)
        self.settle()

    def settle(self) -> None:
        study = self.w.study
        self.qtbot.waitUntil(lambda: study.board is not None and not study.running, timeout=60_000)

    def open(self, path: Path) -> None:
        self.w.intake.open_paths([path])
        study = self.w.study
        self.qtbot.waitUntil(
            lambda: study.image is not None and study.image.name == path.name, timeout=60_000
        )
        self.settle()

    @property
    def canvas(self) -> Canvas:
        return self.w.board.canvas("image")

    @property
    def editor(self) -> TruthEditor:
        editor = self.w.inspector.form.rows["truth"].editor
        assert isinstance(editor, TruthEditor)
        return editor

    @property
    def truth(self) -> tuple[Box, ...]:
        boxes: tuple[Box, ...] = self.w.study.params.truth
        return boxes

    def rounded(self) -> list[tuple[int, ...]]:
        return [tuple(round(v) for v in (b.x0, b.y0, b.x1, b.y1)) for b in self.truth]

    def mouse(self, kind: QEvent.Type, x: float, y: float, keys: Qt.KeyboardModifier) -> None:
        spot = self.canvas.from_pane(x, y)
        moving, lifted = kind is QEvent.Type.MouseMove, kind is QEvent.Type.MouseButtonRelease
        button = Qt.MouseButton.NoButton if moving else LEFT
        held = Qt.MouseButton.NoButton if lifted else LEFT
        there = self.canvas.viewport().mapToGlobal(spot)
        event = QMouseEvent(kind, QPointF(spot), there, button, held, keys)
        QApplication.sendEvent(self.canvas.viewport(), event)

    def press(self, x: float, y: float, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        self.mouse(QEvent.Type.MouseButtonPress, x, y, keys)

    def move(self, x: float, y: float, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        self.mouse(QEvent.Type.MouseMove, x, y, keys)

    def release(self, x: float, y: float, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        self.mouse(QEvent.Type.MouseButtonRelease, x, y, keys)

    def drag(
        self, a: tuple[float, float], b: tuple[float, float], keys: Qt.KeyboardModifier = NO_KEYS
    ) -> None:
        self.press(*a, keys)
        self.move((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, keys)
        self.move(*b, keys)
        self.release(*b, keys)

    def click(self, x: float, y: float) -> None:
        self.press(x, y)
        self.release(x, y)

    def key(self, key: Qt.Key, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
        self.qtbot.keyClick(self.canvas, key, keys)


Make = Callable[..., Toys]


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    made: list[Window] = []

    def start(path: Path, known: Settings | None = None) -> Toys:
        window = Window(known or Settings(), paths=[str(path)])
        made.append(window)
        window.resize(1200, 900)
        with qtbot.waitSignal(window.loaded, timeout=120_000):
            window.show()
        qtbot.waitUntil(lambda: window.study.image is not None, timeout=60_000)
        return Toys(qtbot, window)

    yield start
    for window in made:
        window.close()
        window.deleteLater()


@pytest.fixture
def toys(make: Make, tmp_path: Path) -> Toys:
    return make(photo(tmp_path, "a.png", 90))


def test_a_box_is_drawn_moved_resized_and_removed(toys: Toys) -> None:
    toys.drag((10, 10), (40, 30))
    assert toys.rounded() == [(10, 10, 40, 30)]
    assert toys.canvas.truth.chosen == 0
    assert toys.editor.text(toys.truth) == toys.editor.count.text() == "1 box"
    toys.drag((25, 20), (35, 25))
    assert toys.rounded() == [(20, 15, 50, 35)]
    toys.drag((50, 35), (60, 45))  # by its corner
    assert toys.rounded() == [(20, 15, 60, 45)]
    toys.drag((30, 20), (40, 30), SHIFT)  # inside the first one
    assert toys.rounded()[1] == (30, 20, 40, 30)
    toys.key(Qt.Key.Key_Delete)
    assert toys.rounded() == [(20, 15, 60, 45)]
    assert toys.canvas.truth.chosen is None
    toys.click(25, 40)
    assert toys.canvas.truth.chosen == 0
    toys.key(Qt.Key.Key_Delete)
    assert toys.truth == ()


def test_every_move_is_drawn_and_nothing_is_computed(toys: Toys, qtbot: QtBot) -> None:
    toys.drag((10, 10), (40, 30))
    computed, seen = toys.drawn.computed, []
    toys.press(20, 20)
    for x in range(26, 60, 4):
        toys.move(x, 20)
        right = x - 20 + 40
        qtbot.waitUntil(
            lambda right=right: round(toys.drawn.params[-1].truth[0].x1) == right, timeout=5000
        )
        seen.append(toys.drawn.params[-1].truth[0])
    before = len(toys.drawn.params)
    for x in (61, 62, 63, 64, 65):  # without an event loop between them: one drawing
        toys.move(x, 20)
    qtbot.waitUntil(lambda: round(toys.truth[0].x1) == 85, timeout=5000)
    assert len(toys.drawn.params) == before + 1
    toys.release(65, 20)
    assert len(set(seen)) == len(seen)
    assert toys.drawn.computed == computed
    assert len(toys.truth) == 1


def test_keys_nudge_double_and_place(toys: Toys) -> None:
    toys.drag((10, 10), (40, 30))
    box = toys.truth[0]
    toys.key(Qt.Key.Key_Right)
    toys.key(Qt.Key.Key_Down, SHIFT)
    moved = Box(box.x0 + 1, box.y0 + 10, box.x1 + 1, box.y1 + 10)
    assert toys.truth == (moved,)
    toys.key(Qt.Key.Key_Left, CONTROL)
    assert toys.truth == (replace(moved, x1=moved.x1 - 1),)
    toys.key(Qt.Key.Key_D, CONTROL)
    assert len(toys.truth) == 2
    assert toys.canvas.truth.chosen == 1
    toys.key(Qt.Key.Key_Return)
    assert len(toys.truth) == 3


def test_escape_takes_a_drag_back(toys: Toys) -> None:
    toys.drag((10, 10), (40, 30))
    before = toys.truth
    toys.press(20, 20)
    toys.move(60, 60)
    toys.key(Qt.Key.Key_Escape)
    toys.release(60, 60)
    assert toys.truth == before


def test_a_slip_of_the_mouse_is_no_box(toys: Toys) -> None:
    toys.drag((10, 10), (40, 10.2))
    assert toys.truth == ()


def test_a_click_still_picks_a_place(toys: Toys) -> None:
    toys.drag((10, 10), (40, 30))
    toys.click(20, 20)
    assert round(toys.w.study.params.at.x) == 20
    assert toys.canvas.truth.chosen == 0
    toys.click(80, 70)
    assert toys.canvas.truth.chosen is None


def test_a_click_is_moved_into_a_smaller_photo(toys: Toys, tmp_path: Path) -> None:
    toys.click(90, 20)
    before = toys.w.study.params.at
    assert round(before.x) == 90
    small = tmp_path / "small.png"
    PIL.Image.fromarray(np.full((40, 50, 3), 30, np.uint8)).save(small)
    toys.open(small)
    assert toys.w.study.params.at == Point(49.5, before.y)
    toys.open(tmp_path / "a.png")
    assert toys.w.study.params.at == before, "each photo keeps its own"


def test_undo_takes_back_one_thing_at_a_time(toys: Toys) -> None:
    toys.drag((10, 10), (30, 30))
    toys.drag((50, 50), (70, 70))
    toys.w.undo.undo()
    assert toys.rounded() == [(10, 10, 30, 30)]
    assert [round(b.x0) for b in toys.canvas.truth.boxes or ()] == [10]
    toys.w.undo.undo()
    assert toys.truth == ()
    toys.w.undo.redo()
    assert toys.rounded() == [(10, 10, 30, 30)]


def test_the_boxes_belong_to_the_photo(toys: Toys, tmp_path: Path) -> None:
    toys.drag((10, 10), (40, 30))
    here = toys.truth
    toys.show("other")
    assert toys.truth == here
    toys.show("classify")
    toys.show("toy")
    assert toys.truth == here
    toys.open(photo(tmp_path, "b.png", 30))
    assert toys.truth == ()
    toys.drag((50, 50), (60, 60))
    there = toys.truth
    toys.open(tmp_path / "a.png")
    assert toys.truth == here
    toys.w.undo.undo()  # of what was drawn here, in the view that was used last
    assert toys.truth == ()
    toys.open(tmp_path / "b.png")
    assert toys.truth == there, "undo does not reach what is not looked at"
    toys.w.undo.undo()
    assert toys.truth == ()
    toys.w.undo.redo()
    assert toys.truth == there


def test_reset_leaves_the_boxes_alone(toys: Toys) -> None:
    toys.drag((10, 10), (40, 30))
    form = toys.w.inspector.form
    form.set_value("count", 7)
    form.reset()
    assert toys.w.study.params.count == 3
    assert len(toys.truth) == 1
    assert not form.rows["truth"].dot.isVisible()


def test_a_box_is_chosen_and_named_in_the_form(toys: Toys, qtbot: QtBot) -> None:
    toys.drag((10, 10), (40, 30))
    toys.drag((50, 50), (70, 70))
    editor = toys.editor
    assert editor.boxes.currentIndex() == 1
    editor.boxes.setCurrentIndex(0)
    editor.boxes.activated.emit(0)
    assert toys.canvas.truth.chosen == 0
    editor.label.setFocus()
    qtbot.keyClicks(editor.label, "cat; dog ")
    qtbot.keyClick(editor.label, Qt.Key.Key_Return)
    assert [box.label for box in toys.truth] == ["cat dog", ""]
    assert "cat dog" in editor.boxes.itemText(0)
    toys.drag((20, 20), (22, 22))
    assert toys.truth[0].label == "cat dog", "a moved box keeps its name"
    editor.difficult.click()
    assert [box.difficult for box in toys.truth] == [True, False]
    assert editor.difficult.isChecked()
    toys.drag((20, 20), (22, 22))
    editor.crowd.click()
    toys.drag((20, 20), (22, 22))
    assert toys.truth[0].difficult, "a moved box keeps its flags"
    assert toys.truth[0].crowd
    editor.remove.click()
    assert len(toys.truth) == 1
    editor.clear.click()
    assert toys.truth == ()
    toys.w.undo.undo()
    assert len(toys.truth) == 1


def test_with_a_region_only_shift_draws_truth(toys: Toys) -> None:
    toys.show("region")
    toys.drag((10, 10), (40, 30))
    params = toys.w.study.params
    assert params.truth == ()
    assert round(params.region.x1) == 40
    toys.drag((20, 40), (60, 70), SHIFT)
    params = toys.w.study.params
    assert [round(box.y1) for box in params.truth] == [70]
    assert round(params.region.x1) == 40
    toys.settle()


def test_a_region_is_nudged_by_its_step(toys: Toys) -> None:
    toys.show("region")
    toys.drag((10, 10), (40, 30))
    before = toys.w.study.params.region
    toys.key(Qt.Key.Key_Right)
    toys.key(Qt.Key.Key_Right, SHIFT)
    after = toys.w.study.params.region
    assert after.x0 - before.x0 == pytest.approx(2.75)
    field = toys.w.inspector.form.rows["region"].editor.field
    assert field.text().startswith(f"{after.x0:.2f}, ")


def test_hidden_overlays_hide_the_truth(toys: Toys) -> None:
    toys.drag((10, 10), (40, 30))
    box = toys.truth[0]
    where = toys.canvas.from_pane(box.x0, (box.y0 + box.y1) / 2)

    def left_edge() -> np.ndarray:
        image = toys.canvas.viewport().grab().toImage()
        ratio = image.devicePixelRatio()
        x, y = round(where.x() * ratio), round(where.y() * ratio)
        return np.array([image.pixelColor(x + d, y).getRgb()[:3] for d in range(-4, 5)])

    assert (left_edge() != 90).any(axis=1).sum() >= 2, "an edge of at least two pixels"
    toys.w.board.set_overlays_visible(False)
    assert (left_edge() == 90).all()


def test_the_session_keeps_the_boxes(toys: Toys, make: Make, tmp_path: Path) -> None:
    toys.drag((10, 10), (40, 30))
    here = toys.truth
    toys.w.close()
    known = settings.load()
    assert known.session.truth
    again = make(tmp_path / "a.png", known)
    assert again.truth == here


def test_a_damaged_session_is_tolerated() -> None:
    truths = PhotoTruth()
    box = {"x0": 1.0, "y0": 2.0, "x1": 3.0, "y1": 4.0, "label": "cat"}
    good = {"boxes": [box], "mask": None, "joints": [{"x": 1.0, "y": 2.5}]}
    bad = {
        "a": {**good, "boxes": [{**box, "x0": 9.0}]}, "b": 5, "c": {"boxes": [box]}, "e": None,
        "d": {**good, "boxes": [{**box, "y0": "x"}]}, "f": {**good, "mask": {"png": "AAAA"}},
        "g": {**good, "joints": [{"x": 1e400, "y": 0.0}]}, "h": [[1, 2, 3, 4, "cat"]],
    }  # fmt: skip
    truths.restore({**bad, "good": good})
    assert truths.packed() == {"good": good}
    assert json.loads(json.dumps(truths.packed())) == truths.packed()


def test_a_session_file_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.ui.truth.photo_truth.MOST_BOXES", 5)
    truths = PhotoTruth()
    for key in "abc":
        truths.put(key, (Box(0, 0, 1, 1),) * 2)
    assert list(truths.packed()) == ["b", "c"]
    monkeypatch.setattr("explorer.ui.truth.photo_truth.MOST_PHOTOS", 2)
    truths.put("d", (Box(0, 0, 1, 1),))
    assert truths.of("a") == ()
    assert list(truths.packed()) == ["c", "d"]
    truths.put("d", ())
    assert "d" not in truths.packed()


# -- files


CROWD = Box(50, 20, 80, 60, "cat", crowd=True)


def coco(folder: Path, name: str = "a.png") -> Path:
    path = folder / "instances.json"
    content = {
        "images": [{"id": 1, "file_name": name, "width": 100, "height": 80}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": [10, 20, 30, 40]},
            {"image_id": 1, "category_id": 1, "bbox": [50, 20, 30, 40], "iscrowd": 1},
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    path.write_text(json.dumps(content))
    return path


def test_annotations_beside_the_photo_are_offered_and_loaded(
    make: Make, tmp_path: Path, qtbot: QtBot
) -> None:
    coco(tmp_path)
    toys = make(photo(tmp_path, "a.png", 90))
    notices = toys.w.notices
    qtbot.waitUntil(
        lambda: any("2 annotated boxes" in text for text in notices.texts), timeout=9000
    )
    card = next(card for card in notices.cards if "annotated" in card.notice.text)
    card.buttons[0].click()
    assert toys.truth == (Box(10, 20, 40, 60, "cat"), CROWD)
    assert not any("annotated" in text for text in notices.texts)
    toys.open(photo(tmp_path, "b.png", 30))
    assert not any("annotated" in text for text in notices.texts)


def both_annotated(folder: Path) -> tuple[Path, Path]:
    """Two photos of one data set, each with a box of its own."""
    path = coco(folder)
    content = json.loads(path.read_text())
    content["images"].append({"id": 2, "file_name": "b.png", "width": 100, "height": 80})
    box = {"image_id": 2, "category_id": 1, "bbox": [5, 5, 10, 10]}
    content["annotations"].append(box)
    path.write_text(json.dumps(content))
    return photo(folder, "a.png", 90), photo(folder, "b.png", 30)


def test_an_accepted_data_set_is_not_offered_again_but_loaded(
    make: Make, tmp_path: Path, qtbot: QtBot
) -> None:
    first, second = both_annotated(tmp_path)
    toys = make(first)
    notices = toys.w.notices
    qtbot.waitUntil(lambda: any("annotated" in text for text in notices.texts), timeout=9000)
    next(card for card in notices.cards if "annotated" in card.notice.text).buttons[0].click()
    toys.open(second)
    qtbot.waitUntil(lambda: toys.truth == (Box(5, 5, 15, 15, "cat"),), timeout=9000)
    assert not any("annotated" in text for text in notices.texts)
    toys.w.truth_files.put(())
    toys.show("classify")
    toys.show("toy")
    assert toys.truth == (), "what was deleted does not come back"


def test_a_data_set_is_offered_once_per_folder(make: Make, tmp_path: Path, qtbot: QtBot) -> None:
    first, second = both_annotated(tmp_path)
    toys = make(first)
    notices = toys.w.notices
    qtbot.waitUntil(lambda: any("annotated" in text for text in notices.texts), timeout=9000)
    asked: list[str] = []
    notices.show_notice = lambda notice: asked.append(notice.text)  # type: ignore[method-assign]
    toys.open(second)
    toys.open(first)
    assert asked == []
    assert toys.truth == ()


def test_a_file_that_is_chosen_is_loaded_or_refused(
    toys: Toys, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = coco(tmp_path)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(path), ""))
    toys.editor.load.click()
    qtbot.waitUntil(lambda: len(toys.truth) == 2, timeout=9000)
    toys.w.undo.undo()
    assert toys.truth == ()
    path.write_text("{}")
    toys.editor.load.click()
    qtbot.waitUntil(
        lambda: any("not a COCO file" in text for text in toys.w.notices.texts), timeout=9000
    )


def test_a_view_without_truth_keeps_what_is_loaded(
    toys: Toys, tmp_path: Path, qtbot: QtBot
) -> None:
    toys.show("classify")
    toys.w.truth_files.read(str(coco(tmp_path)))
    qtbot.waitUntil(lambda: any("Toy" in text for text in toys.w.notices.texts), timeout=9000)
    toys.show("toy")
    assert toys.truth == (Box(10, 20, 40, 60, "cat"), CROWD)


@pytest.mark.parametrize("kind", [("COCO", ".json"), *by_hand(("VOC", ".xml"), ("YOLO", ".txt"))])
def test_the_truth_is_saved_and_loaded_again(
    toys: Toys, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, kind: tuple[str, str]
) -> None:
    toys.drag((10, 10), (40, 30))
    path = tmp_path / f"a{kind[1]}"

    def choose(parent: object, title: str, start: str, kinds: str) -> tuple[str, str]:
        assert kind[0] in kinds
        assert start.endswith(kind[1])
        return str(path), kinds

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    toys.editor.save.click()
    sheet = toys.w.exporter.sheet
    titles = [sheet.what.itemText(row) for row in range(sheet.what.count())]
    sheet.what.setCurrentIndex(next(n for n, title in enumerate(titles) if kind[0] in title))
    sheet.go_on.click()
    qtbot.waitUntil(lambda: any("Saved" in text for text in toys.w.notices.texts), timeout=9000)
    before = toys.rounded()
    toys.editor.clear.click()
    toys.w.truth_files.read(str(path))
    qtbot.waitUntil(lambda: len(toys.truth) == 1, timeout=9000)
    assert toys.rounded() == before
    assert toys.truth[0].label == "object"


def test_both_sides_of_a_comparison_show_one_choice(toys: Toys) -> None:
    toys.w.commands.compare(True)
    toys.w.inspector.form.set_value("count", 5)
    toys.w.study.look()
    toys.settle()
    cell = toys.w.board.cell("image")
    assert cell.compare is not None
    toys.drag((10, 10), (40, 30))
    assert [canvas.truth.chosen for canvas in cell.canvases] == [0, 0]
    assert cell.reference.truth.boxes == toys.truth
    toys.click(80, 70)
    assert [canvas.truth.chosen for canvas in cell.canvases] == [None, None]
    toys.key(Qt.Key.Key_Return)
    assert [canvas.truth.chosen for canvas in cell.canvases] == [1, 1]
    toys.click(80, 70)
    assert [canvas.truth.chosen for canvas in cell.canvases] == [None, None]
