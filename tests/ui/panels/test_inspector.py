"""The inspector: progress, buttons, errors, notes and the explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from explorer.core.errors import Incomplete
from explorer.core.params import param
from explorer.core.runner import Failure, State, Update
from explorer.engine.view import Group, View
from explorer.ui.panels.explanation import Explanation
from explorer.ui.panels.inspector import Inspector
from explorer.ui.widgets.small_widgets import Label

# The offscreen platform has no window manager to tell about sizes and pop-ups, and says so.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
LEFT = Qt.MouseButton.LeftButton
TEXT = """
The **softmax** turns logits into shares:

    p[k] = exp(z[k]) / Σⱼ exp(z[j])

## Reading it
Nothing more. <script>no</script>
"""


@dataclass(frozen=True, slots=True)
class Params:
    top: int = param(5, "Top", "How many.", low=1, high=50)


def view(name: str = "toy", text: str = TEXT) -> View[Any, Any]:
    nothing: Any = None
    return View(name, "A toy", Group.OTHER, "s", text, "Me 2024", Params, nothing, nothing)


def update(state: State = State.RUNNING, **rest: Any) -> Update:
    values: dict[str, Any] = {
        "value": None, "done": 3, "total": 12, "note": "octave 1", "seconds": 0.5, "steps": 3,
    }  # fmt: skip
    return Update("view", 1, state, **{**values, **rest})


@pytest.fixture
def inspector(qtbot: QtBot) -> Inspector:
    made = Inspector()
    qtbot.addWidget(made)
    made.set_view(view())
    made.form.set_view(view(), Params(), None)
    made.resize(300, 700)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_header_names_view_and_paper(inspector: Inspector) -> None:
    assert inspector.title.text() == "A toy"
    assert inspector.reference.text() == "Me 2024"
    assert inspector.form.params == Params()


def test_progress_is_shown_once_it_takes_long(inspector: Inspector, qtbot: QtBot) -> None:
    strip = inspector.strip
    inspector.set_update(update(), False)
    assert strip.bar.isHidden()
    qtbot.waitUntil(strip.bar.isVisible)
    assert strip.bar.value() == 250
    assert "octave 1" in strip.words.toolTip()
    assert "25%" in strip.words.toolTip()
    assert strip.cancel.isVisible()
    assert strip.pause.isHidden()
    inspector.set_update(update(total=0), False)
    qtbot.waitUntil(lambda: strip.bar.maximum() == 0)


def test_where_room_is_short_the_note_is_read_and_the_bar_tells_the_share(
    inspector: Inspector, qtbot: QtBot
) -> None:
    strip = inspector.strip
    inspector.set_update(update(note="iteration 16 of 120"), False)
    qtbot.waitUntil(strip.bar.isVisible)
    metrics = strip.words.fontMetrics()
    strip.words.setFixedWidth(metrics.horizontalAdvance("iteration 16 of 120 · 2.85 s..."))
    qtbot.waitUntil(lambda: "%" not in strip.words.text())
    assert strip.words.text().startswith("iteration 16 of 120 · ")
    assert "25%" in strip.words.toolTip()
    inspector.set_update(update(note="iteration 16 of 120 on this photo"), False)
    qtbot.waitUntil(lambda: "…" in strip.words.text())
    assert strip.words.text().startswith("iteration 16 of")


def test_what_is_still_to_be_chosen_is_no_error(inspector: Inspector) -> None:
    failure = Failure("No data set is chosen.", "Choose a folder.", "", True, Incomplete.ABOUT)
    inspector.set_update(update(State.FAILED, value=None, failure=failure), False)
    assert inspector.error.message == "No data set is chosen."
    assert inspector.error.kind == "info"
    assert inspector.strip.words.text() == ""
    failure = Failure("The folder is empty.", "Choose another one.", "Traceback", True)
    inspector.set_update(update(State.FAILED, value=None, failure=failure), False)
    assert inspector.error.kind == "error"
    assert inspector.error.more.isHidden(), "a traceback helps with a defect only"
    assert inspector.strip.words.text().startswith("Failed")


def test_a_quick_job_never_flickers(inspector: Inspector) -> None:
    inspector.set_update(update(), False)
    inspector.set_update(update(State.DONE, value=1, seconds=0.24, steps=12), False)
    assert inspector.strip.bar.isHidden()
    assert inspector.strip.words.toolTip() == "0.24 s · 12 steps"
    assert not inspector.strip.counting


def test_the_column_does_not_jump(inspector: Inspector, qtbot: QtBot) -> None:
    before = inspector.form.y()
    inspector.set_update(update(), True)
    qtbot.waitUntil(inspector.strip.bar.isVisible)
    during = inspector.form.y()
    inspector.set_update(update(State.DONE, value=1), True)
    assert before == during == inspector.form.y()


def test_cancel_and_pause_ask(inspector: Inspector, qtbot: QtBot) -> None:
    inspector.set_update(update(), True)
    qtbot.waitUntil(inspector.strip.pause.isVisible)
    with qtbot.waitSignal(inspector.pause_toggled) as heard:
        qtbot.mouseClick(inspector.strip.pause, LEFT)
    assert heard.args == [True]
    assert inspector.strip.pause.accessibleName() == "Resume"
    with qtbot.waitSignal(inspector.pause_toggled) as heard:
        qtbot.mouseClick(inspector.strip.pause, LEFT)
    assert heard.args == [False]
    with qtbot.waitSignal(inspector.cancel_requested):
        qtbot.mouseClick(inspector.strip.cancel, LEFT)
    inspector.set_update(update(State.CANCELLED), True)
    assert inspector.strip.words.toolTip().startswith("Canceled")
    assert inspector.strip.pause.isHidden()


def test_a_new_job_starts_unpaused(inspector: Inspector, qtbot: QtBot) -> None:
    inspector.set_update(update(), True)
    qtbot.waitUntil(inspector.strip.pause.isVisible)
    inspector.strip.pause.click()
    inspector.set_update(update(State.DONE), True)
    assert not inspector.strip.pause.isChecked()


def test_a_failure_shows_and_copies_its_details(inspector: Inspector, qtbot: QtBot) -> None:
    failure = Failure("It broke.", "Mend it.", "Traceback: line 1", False)
    inspector.set_update(update(State.FAILED, failure=failure), False)
    card = inspector.error
    assert card.isVisible()
    assert (card.message, card.hint) == ("It broke.", "Mend it.")
    assert card.details.isHidden()
    qtbot.mouseClick(card.more, LEFT)
    assert card.details.isVisible()
    qtbot.mouseClick(card.copy, LEFT)
    assert QGuiApplication.clipboard().text() == "It broke.\n\nMend it.\n\nTraceback: line 1"
    qtbot.mouseClick(card.dismiss, LEFT)
    assert card.isHidden()


def test_a_good_answer_clears_the_error(inspector: Inspector) -> None:
    inspector.show_error("It broke.")
    assert inspector.error.more.isHidden()
    inspector.set_update(update(State.DONE, value=1), False)
    assert inspector.error.isHidden()


@pytest.mark.parametrize(
    "words", ["", "x" * 5000, "<b>bold</b> & more", "\x00\u202e💥", "a\n" * 300]
)
def test_any_words_fit(inspector: Inspector, words: str) -> None:
    inspector.show_error(words, words, words)
    inspector.set_notes((words,))
    inspector.set_update(update(note=words), True)
    inspector.grab()
    assert inspector.error.message == words


@pytest.mark.parametrize(
    ("done", "total", "maximum", "value"),
    [(0, 0, 0, -1), (-5, 10, 1000, 0), (50, 10, 1000, 1000), (10**12, 10**13, 1000, 100),
     (1, -1, 0, -1)],
)  # fmt: skip
def test_any_progress_fits(
    inspector: Inspector, done: int, total: int, maximum: int, value: int, qtbot: QtBot
) -> None:
    inspector.set_update(update(done=done, total=total), True)
    bar = inspector.strip.bar
    qtbot.waitUntil(bar.isVisible)
    assert (bar.maximum(), bar.value()) == (maximum, value)


def test_notes_are_replaced(inspector: Inspector) -> None:
    inspector.set_notes(("UNTRAINED", "damaged"))
    assert inspector.notes == ("UNTRAINED", "damaged")
    card = inspector.cards()[0]
    inspector.set_notes(("UNTRAINED", "damaged"))
    assert inspector.cards()[0] is card
    inspector.set_notes(())
    assert inspector.notes == ()


def test_another_view_starts_clean(inspector: Inspector) -> None:
    inspector.show_error("It broke.")
    inspector.set_update(update(State.DONE, value=1), False)
    inspector.set_view(view("other", ""))
    assert inspector.error.isHidden()
    assert inspector.strip.words.text() == ""
    assert inspector.about.isHidden()


def test_the_explanation_is_as_high_as_its_text(qtbot: QtBot) -> None:
    shown = Explanation()
    qtbot.addWidget(shown)
    shown.show_markdown(TEXT + "Many words that need some lines. " * 9)
    shown.resize(400, shown.height())
    shown.show()
    wide = shown.height()
    shown.resize(260, shown.height())
    assert shown.height() > wide
    assert shown.document().size().height() <= shown.height()
    assert "exp(z[k])" in shown.toPlainText()


def test_a_long_message_is_not_bold_to_its_end(inspector: Inspector) -> None:
    rest = "only 3% of the tensors match; " + ", ".join(f"layer{n}.weight" for n in range(20))
    inspector.show_error(f"w.pth does not fit ResNet-18: {rest}.", "Choose another one.")
    bold = [label.text() for label in inspector.error.findChildren(Label) if label.font().bold()]
    assert bold == ["w.pth does not fit ResNet-18."]
    shown = " ".join(label.text() for label in inspector.error.findChildren(Label))
    assert "Only 3% of the tensors match" in shown
    assert shown.endswith("Choose another one.")


def test_ways_out_are_buttons_that_close_the_card(inspector: Inspector, qtbot: QtBot) -> None:
    done: list[str] = []
    ways = [("Try again", lambda: done.append("again")), ("Other", lambda: done.append("other"))]
    inspector.show_error("It broke.", ways=ways)
    first, _ = inspector.error.ways
    qtbot.mouseClick(first, LEFT)
    assert done == ["again"]
    assert not inspector.error.isVisible()
    inspector.show_error("It broke otherwise.")
    assert inspector.error.ways == []
    assert inspector.error.isVisible()
