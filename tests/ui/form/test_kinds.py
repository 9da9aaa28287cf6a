"""A parameter of every kind in the form, under real keys and mouse."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from explorer.core.network_info import NetworkInfo
from explorer.core.params import (
    Effect,
    FolderRef,
    ImageRef,
    Kind,
    Mask,
    NetworkRef,
    Pick,
    Point,
    param,
    parameters,
)
from explorer.engine.view import Group, View
from explorer.networks.entry import Entry, WeightsOption
from explorer.ui.board.brush import Brush
from explorer.ui.form.around import Around
from explorer.ui.form.choice_popup import ChoicePopup
from explorer.ui.form.form import Form
from explorer.ui.form.places import MaskEditor, PointsEditor
from explorer.ui.form.records import RecordsEditor
from explorer.ui.form.references import FolderEditor, ImageEditor, NetworkEditor, NetworksEditor
from explorer.ui.widgets.small_widgets import Label
from tests.toy_views import EVERY_KIND, EveryKind, Term
from tests.toys import toy_network

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
LEFT = Qt.MouseButton.LeftButton


def entry(name: str, task: Any = "classification", state: Any = "shipped") -> Entry:
    weights = (WeightsOption("w", "W", state),) if state != "untrained" else ()
    return Entry(name, name.title(), task, "shipped", "A toy.", weights)


AROUND = Around(
    photos=(("/photos/a.png", "a.png"), ("cat", "Cat")),
    networks=(
        entry("one"), entry("two"), entry("boxes", "detection"), entry("far", state="download"),
    ),
    size=(8, 6),
    photo="photo.png",
)  # fmt: skip


@pytest.fixture
def info() -> NetworkInfo:
    return toy_network("classification").info


@pytest.fixture
def form(qtbot: QtBot, info: NetworkInfo) -> Form:
    made = Form()
    qtbot.addWidget(made)
    made.set_around(AROUND)
    made.set_view(EVERY_KIND, EveryKind(), info)
    made.resize(320, 2400)
    made.show()
    qtbot.waitExposed(made)
    return made


def editor(form: Form, name: str, kind: type) -> Any:
    found = form.rows[name].editor
    assert isinstance(found, kind)
    return found


def test_every_kind_has_a_row_that_can_be_reached_by_keys(form: Form) -> None:
    kinds = {row.parameter.kind for row in form.rows.values()}
    assert kinds == set(Kind)
    for name, row in form.rows.items():
        for widget in row.editor.widgets:
            assert widget.accessibleName() == row.parameter.meta.title, name


def test_rows_stand_under_their_sections_and_only_where_they_apply(form: Form) -> None:
    assert form.rows["fancy"].isHidden()
    form.set_value("choice", "fancy")
    assert form.rows["fancy"].isVisible()
    form.set_value("choice", "plain")
    assert form.rows["fancy"].isHidden()
    beside = form.rows["fancy"].parentWidget().children()
    headings = {at.y(): at.text() for at in beside if isinstance(at, Label) and at.isVisible()}
    shown = [headings[top] for top in sorted(headings)]
    assert shown == ["Numbers and words", "Other things", "On the photo"]


def test_a_photo_of_the_strip_or_a_file(
    form: Form, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = editor(form, "second", ImageEditor)
    assert [second.box.itemText(n) for n in range(second.box.count())] == ["none", "a.png", "Cat"]
    qtbot.keyClick(second.box, Qt.Key.Key_Down)
    assert form.params.second == ImageRef("/photos/a.png")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/else/b.png", ""))
    second.open.click()
    assert form.params.second == ImageRef("/else/b.png")
    assert second.box.currentText() == "b.png"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    second.open.click()
    assert form.params.second == ImageRef("/else/b.png")
    form.set_around(replace(AROUND, photos=()))
    assert second.box.currentText() == "b.png", "what is chosen stays in the list"


def test_networks_at_hand_that_do_the_task(form: Form, qtbot: QtBot) -> None:
    other = editor(form, "other", NetworkEditor)
    assert [other.box.itemText(n) for n in range(other.box.count())] == ["none", "One", "Two"]
    qtbot.keyClick(other.box, Qt.Key.Key_Down)
    assert form.params.other == NetworkRef("one")
    form.set_value("other", NetworkRef("two", "/my/file.pth"))
    assert other.box.currentText() == "Two (file.pth)"


def test_several_networks_are_ticked(form: Form, qtbot: QtBot) -> None:
    several = editor(form, "ensemble", NetworksEditor)
    assert several.box.shown_text() == "none"
    qtbot.keyClick(several.box, Qt.Key.Key_Space)
    popup = several.box.findChild(ChoicePopup)
    assert popup is not None
    for word in ("Two", "One"):
        popup.search.clear()
        qtbot.keyClicks(popup.search, word)
        qtbot.keyClick(popup.search, Qt.Key.Key_Return)
    popup.hide()
    assert form.params.ensemble == (NetworkRef("one"), NetworkRef("two"))
    assert several.box.shown_text() == "One, Two"


def test_a_folder_is_typed_or_chosen(
    form: Form, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = editor(form, "folder", FolderEditor)
    qtbot.keyClicks(folder.field, "/data")
    qtbot.keyClick(folder.field, Qt.Key.Key_Return)
    assert form.params.folder == FolderRef("/data")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "/more")
    folder.choose.click()
    assert form.params.folder == FolderRef("/more")
    folder.field.clear()
    qtbot.keyClick(folder.field, Qt.Key.Key_Return)
    assert form.params.folder is None


def test_rows_are_added_changed_reordered_and_removed(form: Form, qtbot: QtBot) -> None:
    heard: list[Effect] = []
    form.changed.connect(lambda _params, effect: heard.append(effect))
    terms = editor(form, "terms", RecordsEditor)
    assert len(terms.records) == 1
    qtbot.mouseClick(terms.add, LEFT)
    assert len(form.params.terms) == 2
    second = terms.records[1]
    assert not second.down.isEnabled()
    assert not second.column.rows["layer"].isHidden()
    second.column.rows["kind"].editor.box.setFocus()
    qtbot.keyClick(second.column.rows["kind"].editor.box, Qt.Key.Key_Down)
    assert form.params.terms[1].kind == "logit"
    assert second.column.rows["layer"].isHidden(), "it applies to channels only"
    assert not second.column.rows["kind"].dot.isHidden()
    second.up.click()
    assert [term.kind for term in form.params.terms] == ["logit", "channel"]
    assert terms.records[0].column.rows["layer"].isHidden()
    terms.add.click()
    terms.add.click()
    assert not terms.add.isEnabled(), "no more than four"
    terms.records[0].remove.click()
    assert [term.kind for term in form.params.terms] == ["channel"] * 3
    assert terms.add.isEnabled()
    assert heard
    assert set(heard) == {Effect.COMPUTE}
    form.rows["terms"].dot.click()
    assert len(form.params.terms) == 1


def test_a_layer_of_a_row_is_the_networks(form: Form, info: NetworkInfo) -> None:
    layer = editor(form, "terms", RecordsEditor).records[0].column.rows["layer"]
    assert form.params.terms[0].layer == info.layer_names()[0]
    assert layer.dot.isHidden(), "the first layer is what the default means"


def test_points_are_typed_and_cleared(form: Form, qtbot: QtBot) -> None:
    joints = editor(form, "joints", PointsEditor)
    qtbot.keyClicks(joints.field, "1, 2; 3.5, 4")
    qtbot.keyClick(joints.field, Qt.Key.Key_Return)
    assert form.params.joints == (Point(1, 2), Point(3.5, 4))
    assert joints.count.text() == "2 points"
    joints.field.setText("1, 2; 3")
    qtbot.keyClick(joints.field, Qt.Key.Key_Return)
    assert form.params.joints == (Point(1, 2), Point(3.5, 4))
    (clear,) = (a for a in joints.field.actions() if a.text() == "Remove all points")
    clear.trigger()
    assert form.params.joints == ()


def painted(width: int = 8, height: int = 6) -> Mask:
    index = np.zeros((height, width), np.uint8)
    index[:3] = 1
    return Mask.of(index)


def test_the_brush_is_chosen_by_size_label_and_eraser(form: Form, qtbot: QtBot) -> None:
    brushes: list[Brush] = []
    form.brush_changed.connect(brushes.append)
    mask = editor(form, "mask", MaskEditor)
    qtbot.keyClick(mask.erase, Qt.Key.Key_Space)
    assert brushes[-1].erase
    assert mask.erase.isChecked()
    assert not mask.paint.isChecked()
    mask.labels.setFocus()
    qtbot.keyClick(mask.labels, Qt.Key.Key_Down)
    assert (brushes[-1].label, brushes[-1].erase) == (2, False)
    mask.size.field.setFocus()
    qtbot.keyClick(mask.size.field, Qt.Key.Key_Up)
    assert brushes[-1].radius > Brush().radius
    form.show_brush(Brush(40.0, 1, erase=True))
    assert mask.size.field.value == 40.0
    assert mask.erase.isChecked()
    assert len(brushes) == 3, "what the canvas says is not said again"


COCO = {
    "images": [{"id": 1, "file_name": "photo.png", "width": 8, "height": 6}],
    "annotations": [
        {
            "id": number, "image_id": 1, "category_id": number, "bbox": [0, 0, 4, 2],
            "segmentation": [[0, 0, 4, 0, 4, 2, 0, 2]], "area": 8 - number,
        }
        for number in (1, 2)
    ],
    "categories": [{"id": 1, "name": "zebra"}, {"id": 2, "name": "remove"}],
}  # fmt: skip


def test_a_mask_is_shown_cleared_saved_and_loaded(
    form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask, said = editor(form, "mask", MaskEditor), []
    form.said.connect(said.append)
    assert mask.share.text() == "empty"
    assert mask.clear.isHidden()
    form.set_value("mask", painted())
    assert mask.share.text() == "50.0% painted"
    path = tmp_path / "mask.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    mask.save.click()
    assert path.read_bytes() == painted().png
    mask.clear.click()
    assert form.params.mask is None
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    mask.load.click()
    assert form.params.mask == painted()
    path.write_bytes(painted(5, 5).png)
    mask.load.click()
    assert form.params.mask == painted()
    assert "5 x 5 pixels, but the photo has 8 x 6" in said[-1]
    coco = tmp_path / "masks.json"
    coco.write_text(json.dumps(COCO))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(coco), ""))
    mask.load.click()
    assert form.params.mask.index().tolist() == [[2] * 4 + [0] * 4] * 2 + [[0] * 8] * 4
    assert "zebra" in said[-1]
    form.set_value("mask", painted())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    path.write_bytes(b"no mask")
    mask.load.click()
    assert "is not a mask" in said[-1]
    form.set_value("mask", "words")
    assert form.params.mask == painted()


def test_the_dot_and_reset_take_every_kind_back(form: Form) -> None:
    before = form.params
    form.set_params(
        replace(
            before, second=ImageRef("cat"), other=NetworkRef("one"), folder=FolderRef("/x"),
            ensemble=(NetworkRef("two"),), terms=(Term("TV"),), mask=painted(),
            joints=(Point(1, 2),),
        )
    )  # fmt: skip
    changed = {name for name, row in form.rows.items() if not row.dot.isHidden()}
    assert changed == {"second", "other", "folder", "ensemble", "terms", "mask", "joints"}
    for name in changed:
        assert form.rows[name].dot.toolTip().startswith("Reset to ")
    form.reset()
    assert form.params == before


def test_every_parameter_is_shown_by_its_kinds_editor(form: Form) -> None:
    assert [p.name for p in parameters(EveryKind)] == list(form.rows)


@dataclass(frozen=True, slots=True)
class Counted:
    line: tuple[Point, ...] = param((), "Line", "Counts.", pick=Pick.POINTS, most=2)
    joints: tuple[Point, ...] = param((), "Joints", "True.", pick=Pick.TRUTH, most=3)


def test_a_line_is_drawn_after_its_button(qtbot: QtBot) -> None:
    made, heard = Form(), []
    qtbot.addWidget(made)
    made.placing_changed.connect(lambda name, on: heard.append((name, on)))
    nothing: Any = None
    view = View("v", "V", Group.OTHER, "s", "", "", Counted, nothing, nothing)
    made.set_view(view, Counted(), None)
    made.show()
    qtbot.waitExposed(made)
    line, joints = made.rows["line"].editor, made.rows["joints"].editor
    assert isinstance(line, PointsEditor)
    assert isinstance(joints, PointsEditor)
    assert line.place.text() == "Draw a line"
    assert not joints.place.isVisible(), "any click places a joint"
    qtbot.mouseClick(line.place, LEFT)
    assert line.place.text() == "Click on the picture…"
    made.end_placing("line")
    assert not line.place.isChecked()
    qtbot.mouseClick(line.place, LEFT)
    made.set_view(replace(view, name="other"), Counted(), None)
    assert heard == [("line", True), ("line", False)] * 2, "it ends with the view"


def test_a_click_on_a_title_leads_to_its_editor(form: Form, qtbot: QtBot) -> None:
    for name, row in form.rows.items():
        if not row.isVisible():
            continue
        qtbot.mouseClick(row.findChildren(Label)[0], LEFT)
        focus = form.focusWidget()
        assert focus is not None, name
        assert row.isAncestorOf(focus), name
