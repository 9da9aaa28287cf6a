"""The form under real keys, mouse and wheel: live, clamped, silent where it should be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QScrollArea, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from explorer.core.layers import Curve, Plot
from explorer.core.network_info import LayerInfo, NetworkInfo, NetworkSpec
from explorer.core.params import Box, Effect, Pick, Point, param
from explorer.engine.view import Group, View
from explorer.ui.form.choice_popup import ChoicePopup, flat_rows, tree_rows
from explorer.ui.form.editors import (
    ChoiceEditor,
    NumberEditor,
    OptionalSwitchEditor,
    PickEditor,
    SubsetEditor,
    SwitchEditor,
)
from explorer.ui.form.form import Form
from explorer.ui.form.numbers import Scale
from explorer.ui.widgets.small_widgets import Fold

# The offscreen platform has no window manager to tell about sizes and pop-ups, and says so.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
LEFT = Qt.MouseButton.LeftButton
NASTY = (
    "", " ", "abc", "nan", "-nan", "inf", "-inf", "1e999", "-1e999", "1e", "--3", "0x10", "1_000",
    "٣", "½", "9" * 390, "1.2.3", "\x00", "5\u202e", "💥", "1e-400", "+", ".", ",", "None",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Params:
    layer: str = param("", "Layer", "Which.", choices=lambda info: info.layer_names("Conv2d"))
    score: float = param(
        0.5, "Min. score", "Hides.", effect=Effect.DRAW, low=0.0, high=1.0, step=0.01
    )
    rate: float = param(0.01, "Step", "Far.", effect=Effect.STEER, low=1e-4, high=1.0, log=True)
    octaves: int = param(4, "Octaves", "Scales.", low=1, high=8)
    masks: bool = param(True, "Masks", "Draws.", effect=Effect.DRAW)
    colormap: str = param("viridis", "Colors", "Table.", choices=("viridis", "magma", "gray"))
    classes: tuple[str, ...] = param((), "Classes", "Only.", choices=lambda info: info.classes)
    point: Point | None = param(None, "Position", "Where.", pick=Pick.CLICK)
    box: Box | None = param(None, "Region", "What.", pick=Pick.DRAG)
    chosen: int | None = param(None, "Box", "Which.", pick=Pick.SELECT, layer="boxes")
    limit: int | None = param(None, "Limit", "Most.", low=1, high=100)
    seed: int = param(0, "Seed", "Chance.", advanced=True)
    words: str = param("", "Words", "Free.", advanced=True)
    free: float = param(1.5, "Free", "Any number.", low=0.0, advanced=True)


@dataclass(frozen=True, slots=True)
class Stepped:
    step: int = param(0, "Step", "Turns.", effect=Effect.DRAW, low=0, high=151, play=True)
    score: float | None = param(
        None, "Score", "Hides.", effect=Effect.DRAW, low=0.0, high=1.0, step=0.01,
        suggested=lambda info: 0.5 if info is None else info.score_threshold,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bare:
    pass


def view_of(kind: type, name: str = "toy") -> View[Any, Any]:
    nothing: Any = None
    return View(name, name, Group.OTHER, "s", "e", "r", kind, nothing, nothing)


def network(*layers: str, classes: int = 91) -> NetworkInfo:
    return NetworkInfo(
        NetworkSpec("toy"), "Toy", "detection", tuple(f"class {n}" for n in range(classes)),
        tuple(LayerInfo(name, "Conv2d", name.count("."), True, 1) for name in layers),
        "local", "w", "cpu", "float32", 1, "RGB",
    )  # fmt: skip


TOY = view_of(Params)
INFO = network("stem.conv", "body.0.conv1", "body.0.conv2", "body.1.conv1")


class Heard:
    def __init__(self, form: Form) -> None:
        self.news: list[tuple[Params, Effect]] = []
        form.changed.connect(self.take)

    def take(self, params: Params, effect: Effect) -> None:
        self.news.append((params, effect))


@pytest.fixture
def form(qtbot: QtBot) -> Form:
    made = Form()
    qtbot.addWidget(made)
    made.set_view(TOY, Params(), INFO)
    made.resize(320, 1000)
    made.show()
    qtbot.waitExposed(made)
    return made


def number(form: Form, name: str) -> NumberEditor:
    editor = form.rows[name].editor
    assert isinstance(editor, NumberEditor)
    return editor


def type_in(qtbot: QtBot, field: Any, text: str) -> None:
    field.setFocus()
    field.selectAll()
    qtbot.keyClick(field, Qt.Key.Key_Delete)
    if text.isascii() and text.isprintable():
        qtbot.keyClicks(field, text)
    else:  # no key gives these: they come by pasting
        QApplication.clipboard().setText(text)
        field.paste()
    qtbot.keyClick(field, Qt.Key.Key_Return)


def test_every_parameter_has_a_row_with_names_and_help(form: Form) -> None:
    assert list(form.rows) == [
        "layer", "score", "rate", "octaves", "masks", "colormap", "classes", "point", "box",
        "chosen", "limit", "seed", "words", "free",
    ]  # fmt: skip
    for name, row in form.rows.items():
        assert row.toolTip() == row.parameter.meta.help
        for widget in row.editor.widgets:
            assert widget.accessibleName() == row.parameter.meta.title, name


def test_an_empty_choice_becomes_the_first_of_the_network(form: Form) -> None:
    assert form.params.layer == "stem.conv"
    form.set_view(TOY, form.params, network("a.b", "c.d"))
    assert form.params.layer == "a.b"


def test_a_drag_on_a_slider_tells_every_move(form: Form, qtbot: QtBot) -> None:
    heard = Heard(form)
    slider = number(form, "score").pair.slider
    assert slider is not None
    middle = slider.height() // 2
    qtbot.mousePress(slider, LEFT, pos=QPoint(20, middle))
    for x in range(24, 100, 4):
        qtbot.mouseMove(slider, QPoint(x, middle))
    qtbot.mouseRelease(slider, LEFT, pos=QPoint(100, middle))
    assert len(heard.news) > 8
    assert {effect for _, effect in heard.news} == {Effect.DRAW}
    scores = [params.score for params, _ in heard.news]
    assert scores == sorted(scores)
    assert all(round(score, 2) == score for score in scores)
    assert form.params.score == scores[-1]


def test_a_click_on_a_slider_jumps_there(form: Form, qtbot: QtBot) -> None:
    slider = number(form, "score").pair.slider
    assert slider is not None
    qtbot.mouseClick(slider, LEFT, pos=QPoint(slider.width() - 3, slider.height() // 2))
    assert form.params.score > 0.97


@pytest.mark.parametrize("text", NASTY)
def test_nasty_numbers_are_put_right(form: Form, qtbot: QtBot, text: str) -> None:
    for name, low, high in (("score", 0, 1), ("rate", 1e-4, 1), ("octaves", 1, 8)):
        type_in(qtbot, number(form, name).pair.field, text)
        assert low <= getattr(form.params, name) <= high
        assert number(form, name).pair.field.text()
    type_in(qtbot, number(form, "seed").pair.field, text)
    assert isinstance(form.params.seed, int)


@pytest.mark.parametrize(
    ("text", "value"), [("0.25", 0.25), ("0,25", 0.25), (" .3 ", 0.3), ("7", 1.0), ("-2", 0.0)]
)
def test_a_typed_number_counts(form: Form, qtbot: QtBot, text: str, value: float) -> None:
    type_in(qtbot, number(form, "score").pair.field, text)
    assert form.params.score == value


def test_a_number_without_an_end_keeps_its_digits(form: Form, qtbot: QtBot) -> None:
    editor = number(form, "free")
    assert editor.pair.slider is None
    type_in(qtbot, editor.pair.field, "0.0125")
    assert form.params.free == 0.0125
    qtbot.keyClick(editor.pair.field, Qt.Key.Key_Up)
    assert form.params.free == 1.0125
    type_in(qtbot, editor.pair.field, "-3")
    assert form.params.free == 0.0


def test_out_of_range_gives_a_gentle_sign_that_goes_away(form: Form, qtbot: QtBot) -> None:
    field = number(form, "octaves").pair.field
    type_in(qtbot, field, "99")
    assert form.params.octaves == 8
    assert "background" in field.styleSheet()
    qtbot.waitUntil(lambda: not field.styleSheet())


def test_leaving_a_field_untouched_says_nothing(form: Form, qtbot: QtBot) -> None:
    form.set_params(Params(score=0.123456, layer="stem.conv"))
    heard = Heard(form)
    field = number(form, "score").pair.field
    field.setFocus()
    qtbot.keyClick(field, Qt.Key.Key_Return)
    form.rows["words"].editor.widgets[0].setFocus()
    assert heard.news == []
    assert form.params.score == 0.123456


def test_escape_takes_a_half_typed_number_back(form: Form, qtbot: QtBot) -> None:
    heard = Heard(form)
    field = number(form, "score").pair.field
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "0.9")
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == "0.50"
    assert heard.news == []


def test_tab_goes_down_the_form(form: Form, qtbot: QtBot) -> None:
    form.activateWindow()
    first = form.rows["layer"].editor.widgets[0]
    first.setFocus()
    qtbot.waitUntil(first.hasFocus)
    order = []
    for _ in range(60):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        at = QApplication.focusWidget()
        name = next((n for n, row in form.rows.items() if row.isAncestorOf(at)), "")
        if name and name not in order:
            order.append(name)
        if name == "limit":
            break
    assert order == [
        "score", "rate", "octaves", "masks", "colormap", "classes", "point", "box", "chosen",
        "limit",
    ]  # fmt: skip


def test_arrow_keys_step(form: Form, qtbot: QtBot) -> None:
    field = number(form, "octaves").pair.field
    qtbot.keyClick(field, Qt.Key.Key_Up)
    qtbot.keyClick(field, Qt.Key.Key_Up)
    qtbot.keyClick(field, Qt.Key.Key_Down)
    assert form.params.octaves == 5
    qtbot.keyClick(field, Qt.Key.Key_PageUp)
    assert form.params.octaves == 8


def test_the_wheel_scrolls_the_page_unless_focused(qtbot: QtBot) -> None:
    area = QScrollArea()
    qtbot.addWidget(area)
    form = Form()
    form.set_view(TOY, Params(), INFO)
    area.setWidget(form)
    area.setWidgetResizable(True)
    area.resize(320, 300)
    area.show()
    qtbot.waitExposed(area)
    heard = Heard(form)
    slider, field = number(form, "score").pair.slider, number(form, "score").pair.field
    combo = form.rows["colormap"].editor.widgets[0]
    assert slider is not None
    area.setFocus()
    for widget in (slider, field, combo):
        area.ensureWidgetVisible(widget)
        before = area.verticalScrollBar().value()
        turn_wheel(area, widget, -120)
        assert area.verticalScrollBar().value() > before
    assert heard.news == []
    area.ensureWidgetVisible(field)
    area.activateWindow()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    turn_wheel(area, field, 120)
    assert len(heard.news) == 1


def turn_wheel(area: QScrollArea, widget: QWidget, delta: int) -> None:
    # Through the window: only then does Qt hand an ignored turn on to the parents.
    middle = widget.mapTo(area, widget.rect().center())
    QTest.wheelEvent(area.windowHandle(), QPointF(middle), QPoint(0, delta))


def test_a_switch_by_mouse_and_space(form: Form, qtbot: QtBot) -> None:
    editor = form.rows["masks"].editor
    assert isinstance(editor, SwitchEditor)
    with qtbot.waitSignal(form.changed) as heard:
        qtbot.mouseClick(editor.switch, LEFT)
    assert heard.args is not None
    assert heard.args[1] is Effect.DRAW
    assert form.params.masks is False
    qtbot.keyClick(editor.switch, Qt.Key.Key_Space)
    assert form.params.masks is True


def test_a_short_choice_steps_by_arrow_keys(form: Form, qtbot: QtBot) -> None:
    editor = form.rows["colormap"].editor
    assert isinstance(editor, ChoiceEditor)
    qtbot.keyClick(editor.box, Qt.Key.Key_Down)
    assert form.params.colormap == "magma"


def test_a_layer_is_found_by_typing(form: Form, qtbot: QtBot) -> None:
    editor = form.rows["layer"].editor
    assert isinstance(editor, ChoiceEditor)
    editor.box.showPopup()
    popup = editor.box.findChild(ChoicePopup)
    assert popup is not None
    rows = [popup.model.row(popup.model.index(n)) for n in range(popup.model.rowCount())]
    assert [(row.depth, row.text, row.word is None) for row in rows[:4]] == [
        (0, "stem", True), (1, "conv", False), (0, "body", True), (1, "0", True),
    ]  # fmt: skip
    qtbot.keyClicks(popup.search, "1.conv1")
    qtbot.keyClick(popup.search, Qt.Key.Key_Return)
    assert form.params.layer == "body.1.conv1"
    assert not popup.isVisible()


def test_the_arrows_skip_headings_and_escape_closes(form: Form, qtbot: QtBot) -> None:
    editor = form.rows["layer"].editor
    assert isinstance(editor, ChoiceEditor)
    editor.box.showPopup()
    popup = editor.box.findChild(ChoicePopup)
    assert popup is not None
    qtbot.keyClick(popup.search, Qt.Key.Key_Down)
    assert popup.list.currentIndex().data() == "conv1"
    qtbot.keyClick(popup.search, Qt.Key.Key_Up)
    assert popup.list.currentIndex().data() == "conv"
    qtbot.keyClick(popup, Qt.Key.Key_Escape)
    assert not popup.isVisible()
    assert form.params.layer == "stem.conv"


def test_a_subset_is_ticked_and_keeps_its_ticks_while_searching(form: Form, qtbot: QtBot) -> None:
    editor = form.rows["classes"].editor
    assert isinstance(editor, SubsetEditor)
    assert editor.box.shown_text() == "all 91"
    qtbot.keyClick(editor.box, Qt.Key.Key_Space)
    popup = editor.box.findChild(ChoicePopup)
    assert popup is not None
    for word in ("class 12", "class 7"):
        popup.search.clear()
        qtbot.keyClicks(popup.search, word)
        qtbot.keyClick(popup.search, Qt.Key.Key_Return)
    assert form.params.classes == ("class 7", "class 12")
    assert editor.box.shown_text() == "2 of 91"
    popup.clear.click()
    assert form.params.classes == ()
    popup.hide()


def test_a_pick_from_the_canvas_and_by_typing(form: Form, qtbot: QtBot) -> None:
    heard = Heard(form)
    form.set_value("point", Point(3.0, 4.5))
    assert heard.news[-1] == (form.params, Effect.COMPUTE)
    editor = form.rows["point"].editor
    assert isinstance(editor, PickEditor)
    assert editor.field.text() == "3.0, 4.5"
    type_in(qtbot, editor.field, "10, 20")
    assert form.params.point == Point(10, 20)
    box = form.rows["box"].editor
    assert isinstance(box, PickEditor)
    type_in(qtbot, box.field, "50, 60, 10, 20")
    assert form.params.box == Box(10, 20, 50, 60)
    (clear,) = (action for action in box.field.actions() if action.text() == "Clear")
    clear.trigger()
    assert form.params.box is None
    type_in(qtbot, editor.field, "")
    assert form.params.point is None


@pytest.mark.parametrize("text", NASTY)
def test_nasty_picks_are_left_alone(form: Form, qtbot: QtBot, text: str) -> None:
    form.set_value("point", Point(1, 2))
    form.set_value("chosen", 3)
    for name in ("point", "box", "chosen"):
        editor = form.rows[name].editor
        assert isinstance(editor, PickEditor)
        type_in(qtbot, editor.field, text)
    emptied = text.strip() in ("", "None")
    whole = {"1_000": 1000, "9" * 390: int("9" * 390)}  # Python reads them as whole numbers
    assert form.params.point == (None if emptied else Point(1, 2))
    assert form.params.box is None
    assert form.params.chosen == (None if emptied else whole.get(text, 3))


@pytest.mark.parametrize("text", ["nan,nan", "inf,1", "1,2,3", "1", "1e999,2"])
def test_positions_are_finite(form: Form, qtbot: QtBot, text: str) -> None:
    form.set_value("point", Point(1, 2))
    editor = form.rows["point"].editor
    assert isinstance(editor, PickEditor)
    type_in(qtbot, editor.field, text)
    assert form.params.point == Point(1, 2)


def test_set_value_clamps_and_ignores(form: Form) -> None:
    form.set_value("octaves", 1000)
    assert form.params.octaves == 8
    form.set_value("score", float("nan"))
    form.set_value("score", "words")
    form.set_value("nothing", 1)
    form.set_value("colormap", "no such")
    assert form.params.score == 0.5
    assert form.params.colormap == "viridis"


def test_an_optional_number_is_switched_on_and_off(form: Form, qtbot: QtBot) -> None:
    editor = number(form, "limit")
    assert editor.beside is not None
    switch = editor.beside.findChild(QCheckBox)
    assert switch is not None
    assert not editor.pair.field.isEnabled()
    switch.click()
    assert form.params.limit == 1
    type_in(qtbot, editor.pair.field, "40")
    assert form.params.limit == 40
    switch.click()
    assert form.params.limit is None


def test_the_dot_and_reset_take_changes_back(form: Form, qtbot: QtBot) -> None:
    heard = Heard(form)
    row = form.rows["score"]
    assert row.dot.isHidden()
    form.set_value("score", 0.9)
    form.set_value("octaves", 7)
    assert not row.dot.isHidden()
    assert row.dot.toolTip() == "Reset to 0.50"
    qtbot.mouseClick(row.dot, LEFT)
    assert form.params.score == 0.5
    assert row.dot.isHidden()
    form.reset()
    assert form.params == Params(layer="stem.conv")
    assert heard.news[-1][1] is Effect.COMPUTE
    (reset,) = (b for b in form.findChildren(QToolButton) if b.text() == "Reset")
    assert not reset.isVisible()


def test_help_unfolds(form: Form, qtbot: QtBot) -> None:
    row = form.rows["score"]
    assert row.help.isHidden()
    qtbot.keyClick(row.about, Qt.Key.Key_Space)
    assert row.help.isVisible()
    assert row.help.text() == "Hides."


def test_set_view_and_set_params_are_silent(form: Form) -> None:
    heard = Heard(form)
    form.set_params(Params(score=0.2, layer="stem.conv", classes=("class 1",)))
    form.set_view(TOY, Params(octaves=2), INFO)
    form.set_view(TOY, Params(octaves=2), None)
    form.set_view(view_of(Bare, "bare"), Bare(), INFO)
    assert form.isHidden()
    form.set_view(TOY, Params(octaves=3), INFO)
    assert heard.news == []
    assert form.params.octaves == 3


def test_advanced_rows_stay_unfolded_for_their_view(form: Form) -> None:
    (advanced,) = form.findChildren(Fold)
    assert not advanced.opened
    advanced.set_opened(True)
    form.set_view(view_of(Bare, "bare"), Bare(), INFO)
    form.set_view(TOY, Params(), INFO)
    assert form.findChildren(Fold)[-1].opened, "the new one; the old one goes in a moment"


def test_hundreds_of_layers_open_at_once(qtbot: QtBot, form: Form) -> None:
    names = tuple(f"block{a}.{b}.conv{c}" for a in range(10) for b in range(20) for c in range(5))
    form.set_view(TOY, Params(), network(*names))
    editor = form.rows["layer"].editor
    assert isinstance(editor, ChoiceEditor)
    editor.box.showPopup()
    popup = editor.box.findChild(ChoicePopup)
    assert popup is not None
    assert popup.model.rowCount() == 1000 + 200 + 10
    popup.hide()


@pytest.mark.parametrize(
    "scale",
    [
        Scale(0, 1, 0.01), Scale(0, 1), Scale(1e-4, 1, log=True), Scale(0, 10, log=True),
        Scale(1, 8, whole=True), Scale(64, 2048, 32, whole=True), Scale(1, 100_000, whole=True),
        Scale(-3, 3, 0.25), Scale(0, 0), Scale(1, 4096, log=True, whole=True), Scale(0.5, 2, 0.125),
        Scale(-1000, 1000, 0.001, log=True), Scale(-5, 5, log=True, whole=True),
    ],
)  # fmt: skip
def test_slider_and_value_agree(scale: Scale) -> None:
    assert scale.value(0) == scale.low
    assert scale.value(scale.positions) == scale.high
    for position in range(0, scale.positions + 1, max(1, scale.positions // 97)):
        value = scale.value(position)
        assert scale.low <= value <= scale.high
        assert float(scale.text(value)) == pytest.approx(value)
        if not scale.whole:
            assert abs(scale.position(value) - position) <= 1


def test_a_logarithm_on_both_sides_of_zero() -> None:
    scale = Scale(-1000, 1000, 0.001, log=True)
    assert [scale.value(p) for p in (0, 100, 200, 300, 400)] == [-1000, -1, 0, 1, 1000]
    assert [scale.position(v) for v in (-1000, -1, -1e-5, 0, 1, 1000)] == [
        0,
        100,
        200,
        200,
        300,
        400,
    ]
    assert 0.1 < scale.value(scale.position(0.1) + 1) < 0.12
    assert scale.text(1000) == "1000"


def test_rows_of_a_tree() -> None:
    rows = tree_rows(("a", "a.b.c", "a.d"), {"a": "Sequential", "a.b": "Block"})
    assert [(r.depth, r.text, r.word, r.detail) for r in rows] == [
        (0, "a", "a", "Sequential"), (1, "b", None, "Block"), (2, "c", "a.b.c", ""),
        (1, "d", "a.d", ""),
    ]  # fmt: skip
    assert [row.word for row in flat_rows(("x", "y"))] == ["x", "y"]


@dataclass(frozen=True, slots=True)
class Pointed:
    at: Point | None = param(None, "At", "Where.", pick=Pick.HOVER, effect=Effect.DRAW)
    count: int = param(3, "Count", "How many.", low=1, high=9)


def test_the_mouse_over_the_picture_brings_no_reset(qtbot: QtBot) -> None:
    made = Form()
    qtbot.addWidget(made)
    nothing: Any = None
    made.set_view(
        View("v", "V", Group.OTHER, "s", "", "", Pointed, nothing, nothing), Pointed(), None
    )
    made.show()
    (reset,) = (b for b in made.findChildren(QToolButton) if b.text() == "Reset")
    made.set_params(Pointed(at=Point(1, 2)))
    assert not reset.isVisible()
    made.set_params(Pointed(at=Point(1, 2), count=4))
    assert reset.isVisible()


def test_a_slider_ends_where_the_steps_end(form: Form) -> None:
    form.set_view(view_of(Stepped, "stepped"), Stepped(step=40), INFO)
    x = np.arange(6, dtype=np.float64)
    plot = Plot("p", curves=(Curve(x, x),), steers="step", stop=5.0)
    form.set_plots([plot])
    pair = number(form, "step").pair
    assert pair.slider is not None
    assert pair.slider.maximum() == 5
    assert pair.field.text() == "5", "there is no step beyond the last"
    pair.go(3)
    assert form.params.step == 3
    form.set_plots([])
    assert pair.slider.maximum() == 151


def test_a_number_that_the_network_suggests_is_shown_and_replaced(form: Form) -> None:
    view = view_of(Stepped, "stepped")
    form.set_view(view, Stepped(), replace(INFO, score_threshold=0.3))
    editor = number(form, "score")
    assert editor.pair.field.value == 0.3
    assert form.params.score is None
    form.set_view(view, form.params, replace(INFO, score_threshold=0.4))
    assert editor.pair.field.value == 0.4, "with another network another number"
    editor.pair.go(60)
    assert form.params.score == 0.6
    form.set_view(view, form.params, INFO)
    assert editor.pair.field.value == 0.6, "what the user has said stays"
    form.reset()
    assert form.params.score is None


def test_a_row_of_the_view_before_says_nothing_any_more(form: Form) -> None:
    old = form.rows["masks"].editor.widgets[0]
    form.set_view(view_of(Bare, "bare"), Bare(), None)
    old.click()  # as when a field ends its editing after its view has gone
    assert type(form.params) is Bare


def test_a_switch_may_be_left_to_the_view(qtbot: QtBot) -> None:
    @dataclass(frozen=True, slots=True)
    class Maybe:
        aligned: bool | None = param(None, "Aligned", "Automatic: as the network.")

    made = Form()
    qtbot.addWidget(made)
    made.set_view(view_of(Maybe), Maybe(), INFO)
    editor = made.rows["aligned"].editor
    assert isinstance(editor, OptionalSwitchEditor)
    assert editor.box.shown_text() == "automatic"
    for words, value in (("on", True), ("off", False), ("automatic", None)):
        with qtbot.waitSignal(made.changed) as heard:
            editor.box.picked.emit(words)
        assert heard.args[0] == Maybe(value)
        assert editor.text(value) == words


def test_what_changes_nothing_with_the_result_is_left_out(form: Form) -> None:
    name = next(name for name, row in form.rows.items() if row.isVisible())
    form.set_idle((name,))
    assert form.rows[name].isHidden()
    form.set_params(form.params)
    assert form.rows[name].isHidden()
    form.set_idle(())
    assert form.rows[name].isVisible()
