"""The view and network pickers: what is listed, dimmed, chosen; no download by accident."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from pytestqt.qtbot import QtBot

from explorer.core.network_info import NetworkInfo, NetworkSpec
from explorer.core.unavailable import Unavailable
from explorer.engine.view import Group, View
from explorer.networks import catalog
from explorer.networks.entry import Entry, WeightsOption
from explorer.ui.panels.cards import CardList, CardRow, Heading, rank
from explorer.ui.panels.pickers import NetworkPicker, ViewPicker
from explorer.ui.widgets.fonts import scaled_font

# The offscreen platform has no window manager to tell about sizes and pop-ups, and says so.
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")
LEFT = Qt.MouseButton.LeftButton


def view(name: str, group: Group, *tasks: str) -> View[Any, Any]:
    nothing: Any = None
    title = name.capitalize()
    summary = f"{title} in a sentence."
    return View(name, title, group, summary, "", "", object, nothing, nothing, frozenset(tasks))


VIEWS = (
    view("classify", Group.PREDICTIONS, "classification"),
    view("detections", Group.PREDICTIONS, "detection"),
    view("maps", Group.INSIDE),
)
ACCURACY = (("ImageNet-1K acc@1", 69.758),)
BOX_MAP = (("COCO-val2017 box_map", 37.0),)
ENTRIES = (
    Entry(
        "tiny", "Tiny ResNet", "classification", "embedded", "Small.",
        (WeightsOption("tiny-v1", "Tiny ImageNet", "shipped", 12.0, ACCURACY, 200),),
        200, 11_000_000,
    ),
    Entry(
        "alexnet", "AlexNet", "classification", "torchvision", "Old.",
        (WeightsOption("V1", "ImageNet", "download", 233.1, ACCURACY, 1000, "https://x/a"),),
        1000,
    ),
    Entry(
        "squeeze", "SqueezeNet", "classification", "torchvision", "Tiny.",
        (
            WeightsOption("V2", "Better", "download", 5.0, ACCURACY, 1000, "https://x/b"),
            WeightsOption("V1", "ImageNet", "cached", 4.7, ACCURACY, 1000, "https://x/c"),
        ),
        1000,
    ),
    Entry("bare", "Bare", "features", "plugin", "Nothing."),
    Entry(
        "rcnn", "Faster R-CNN", "detection", "torchvision", "Boxes.",
        (WeightsOption("COCO", "COCO", "download", 160.0, BOX_MAP, 91, "https://x/d"),),
        91,
    ),
)  # fmt: skip


class Heard:
    def __init__(self, signal: Any) -> None:
        self.news: list[Any] = []
        signal.connect(self.take)

    def take(self, value: Any) -> None:
        self.news.append(value)


@pytest.fixture
def views(qtbot: QtBot) -> ViewPicker:
    made = ViewPicker()
    qtbot.addWidget(made)
    made.set_views(VIEWS)
    made.set_current("maps")
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def networks(qtbot: QtBot) -> NetworkPicker:
    made = NetworkPicker()
    qtbot.addWidget(made)
    made.set_entries(ENTRIES)
    made.set_devices((("auto", "Automatic"), ("cpu", "CPU"), ("cuda:0", "GPU")))
    made.show()
    qtbot.waitExposed(made)
    return made


def lines(picker: Any) -> list[CardRow | Heading]:
    model = picker.panel.cards.model
    return [model.line(row) for row in range(model.rowCount())]


def titles(picker: Any) -> list[str]:
    return [line.title for line in lines(picker)]


def info(spec: NetworkSpec) -> NetworkInfo:
    return NetworkInfo(
        spec, "SqueezeNet", "classification", (), (), "cached", "ImageNet", "cpu", "float32", 1, "",
    )  # fmt: skip


def at(picker: NetworkPicker, name: str) -> None:
    picker.open()
    picker.panel.cards.point_at(name)


def test_views_stand_under_their_groups(views: ViewPicker) -> None:
    assert titles(views) == ["Predictions", "Classify", "Detections", "Inside the network", "Maps"]
    assert views.button.text() == "Maps"


def test_a_view_says_which_other_network_it_would_bring(views: ViewPicker) -> None:
    views.set_companions({"detections": "Mini Faster R-CNN"})
    cards = {line.key: line for line in lines(views) if isinstance(line, CardRow)}
    assert cards["detections"].reason == "with Mini Faster R-CNN"
    assert not any(card.dim for card in cards.values())
    assert cards["classify"].reason == cards["maps"].reason == ""


def test_views_that_were_used_last_stand_above_the_list(views: ViewPicker, qtbot: QtBot) -> None:
    views.set_recent(("maps", "classify", "gone"))
    assert titles(views)[:3] == ["Recent", "Maps", "Classify"]
    assert titles(views).count("Maps") == 2, "its place in the list stays"
    views.open()
    assert views.panel.cards.list.currentIndex().row() == 1, "the one in use"
    qtbot.keyClicks(views.panel.cards.search, "maps")
    assert titles(views) == ["Maps"]


def test_the_best_answer_to_a_search_comes_first() -> None:
    def card(title: str, *, key: str = "", text: str = "", words: str = "") -> CardRow:
        return CardRow(key or title.lower(), "Group", title, text, words=words)

    exact, prefix = card("Anchors"), card("Anchors by hand")
    word, part = card("All anchors"), card("Reanchorsed")
    reference = card("Proposals", words="Anchors and their boxes")
    text, other = card("RPN", text="Scores anchors."), card("Maps")
    found = CardList("")
    found.set_cards((other, text, reference, part, word, prefix, exact))
    found.search.setText("anchors")
    shown = [found.model.line(row) for row in range(found.model.rowCount())]
    assert shown == [exact, prefix, word, part, reference, text]
    assert found.current_key() == "anchors"
    assert rank(exact, "all of these") is None


def test_an_unavailable_view_says_why_and_cannot_be_chosen(views: ViewPicker, qtbot: QtBot) -> None:
    broken = Unavailable("fine_view", "their.module of their-package", "ImportError: no 'softmax'.")
    views.panel.set_views(VIEWS, (broken,))
    assert titles(views)[-2:] == ["Unavailable", "fine_view"]
    heard = Heard(views.chosen)
    qtbot.keyClick(views.button, Qt.Key.Key_Return)
    search, listed = views.panel.cards.search, views.panel.cards.list
    qtbot.keyClicks(search, "fine_view")
    model = views.panel.cards.model
    index = model.index(model.row_of("unavailable 0"))
    assert "ImportError: no 'softmax'." in index.data(Qt.ItemDataRole.AccessibleTextRole)
    qtbot.keyClick(search, Qt.Key.Key_Return)
    place = listed.visualRect(index).center()
    qtbot.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert heard.news == []
    assert views.popup.isVisible()


def test_a_view_is_found_and_chosen_by_keys(views: ViewPicker, qtbot: QtBot) -> None:
    heard = Heard(views.chosen)
    qtbot.keyClick(views.button, Qt.Key.Key_Return)
    search = views.panel.cards.search
    qtbot.keyClicks(search, "detect")
    assert titles(views) == ["Detections"]
    qtbot.keyClick(search, Qt.Key.Key_Return)
    assert heard.news == ["detections"]
    assert not views.popup.isVisible()


def test_a_view_is_chosen_by_one_click(views: ViewPicker, qtbot: QtBot) -> None:
    heard = Heard(views.chosen)
    views.open()
    cards = views.panel.cards
    place = cards.list.visualRect(cards.model.index(cards.model.row_of("classify"))).center()
    qtbot.mouseClick(cards.list.viewport(), LEFT, pos=place)
    assert heard.news == ["classify"]


def test_a_search_without_a_match_says_so(views: ViewPicker, qtbot: QtBot) -> None:
    views.open()
    qtbot.keyClicks(views.panel.cards.search, "zzz")
    assert views.panel.cards.nothing.isVisible()
    qtbot.keyClick(views.panel.cards.search, Qt.Key.Key_Return)
    qtbot.keyClick(views.popup, Qt.Key.Key_Escape)
    assert not views.popup.isVisible()


def test_networks_by_family_with_their_states(networks: NetworkPicker) -> None:
    badges = {line.key: line.badge for line in lines(networks) if isinstance(line, CardRow)}
    assert badges == {
        "tiny": "shipped", "alexnet": "↓ 233 MB", "squeeze": "on disk", "bare": "UNTRAINED",
        "rcnn": "↓ 160 MB",
    }  # fmt: skip
    headings = [line.title for line in lines(networks) if isinstance(line, Heading)]
    assert headings == ["Shipped with the program", "torchvision", "From plug-ins"]


def test_a_line_names_a_score_rather_than_a_count(networks: NetworkPicker) -> None:
    scores = (("photos", 5000.0), ("top1", 0.2134))
    mini = WeightsOption("mini", "ours", "shipped", 9.0, scores, 200)
    entry = Entry("mini", "Mini", "classification", "embedded", "Ours.", (mini,), 200, 2_600_000)
    networks.set_entries((entry,))
    (card,) = (line for line in lines(networks) if isinstance(line, CardRow))
    assert card.text == "Classification · top-1 0.213 · 2.6 M parameters"
    networks.open()
    assert networks.panel.facts.text() == "photos 5000 · top-1 0.213 · 200 classes"


def test_looking_around_downloads_nothing(networks: NetworkPicker, qtbot: QtBot) -> None:
    heard = Heard(networks.chosen)
    at(networks, "alexnet")
    search = networks.panel.cards.search
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Return):
        qtbot.keyClick(search, key)
    networks.panel.cards.point_at("alexnet")
    qtbot.keyClick(search, Qt.Key.Key_Return)
    cards = networks.panel.cards
    place = cards.list.visualRect(cards.model.index(cards.model.row_of("alexnet"))).center()
    qtbot.mouseDClick(cards.list.viewport(), LEFT, pos=place)
    assert not [spec for spec in heard.news if spec.name == "alexnet"]
    assert networks.panel.use.text() == "Download 233 MB"


def test_the_download_button_asks_for_these_weights(networks: NetworkPicker, qtbot: QtBot) -> None:
    at(networks, "alexnet")
    with qtbot.waitSignal(networks.chosen) as heard:
        qtbot.mouseClick(networks.panel.use, LEFT)
    assert heard.args == [NetworkSpec("alexnet", "V1")]
    assert networks.spec == NetworkSpec("alexnet", "V1")
    assert networks.button.text() == "AlexNet"
    assert not networks.popup.isVisible()


def test_enter_takes_what_is_at_hand(networks: NetworkPicker, qtbot: QtBot) -> None:
    heard = Heard(networks.chosen)
    at(networks, "squeeze")
    qtbot.keyClick(networks.panel.cards.search, Qt.Key.Key_Return)
    assert heard.news == [NetworkSpec("squeeze", "V1")]
    assert networks.button.badge == "on disk"


def test_a_download_takes_a_second_enter(networks: NetworkPicker, qtbot: QtBot) -> None:
    heard = Heard(networks.chosen)
    at(networks, "alexnet")
    qtbot.keyClick(networks.panel.cards.search, Qt.Key.Key_Return)
    assert heard.news == []
    assert networks.panel.use.hasFocus()
    qtbot.keyClick(networks.panel.use, Qt.Key.Key_Return)
    assert heard.news == [NetworkSpec("alexnet", "V1")]


def test_weights_are_chosen_one_by_one(networks: NetworkPicker) -> None:
    at(networks, "squeeze")
    panel = networks.panel
    assert [panel.weights.itemText(n) for n in range(panel.weights.count())] == [
        "Better  ·  ↓ 5 MB", "ImageNet  ·  on disk", "Random weights  ·  UNTRAINED",
    ]  # fmt: skip
    assert panel.use.text() == "Use"
    panel.weights.setCurrentIndex(0)
    assert panel.use.text() == "Download 5 MB"
    panel.weights.setCurrentIndex(2)
    assert panel.use.text() == "Use random weights"
    heard = Heard(networks.chosen)
    panel.use.click()
    assert heard.news == [NetworkSpec("squeeze", "none")]
    assert networks.button.badge == "UNTRAINED"


def test_the_present_choice_is_marked(networks: NetworkPicker) -> None:
    networks.set_spec(NetworkSpec("squeeze"))
    networks.open()
    assert networks.panel.use.text() == "Chosen", "it has not been loaded"
    networks.set_info(info(NetworkSpec("squeeze")))
    assert networks.panel.use.text() == "In use"
    assert not networks.panel.use.isEnabled()
    assert networks.button.badge == "on disk"
    assert networks.panel.cards.model.current == "squeeze"


def test_a_local_file_is_shown(networks: NetworkPicker) -> None:
    networks.set_spec(NetworkSpec("alexnet", "/data/mine.pth"))
    assert networks.button.badge == "local file"
    networks.open()
    assert networks.panel.weights.itemText(0) == "mine.pth  ·  local file"


def test_the_networks_of_one_file_are_choices(networks: NetworkPicker, qtbot: QtBot) -> None:
    spec = NetworkSpec("squeeze", "/w.pth")
    networks.set_spec(spec)
    networks.set_info(replace(info(spec), weights_title="w.pth#model", others=("/w.pth#ema",)))
    panel = networks.panel
    titles = [panel.weights.itemText(row) for row in range(panel.weights.count())]
    assert titles[:2] == ["w.pth#model  ·  local file", "w.pth#ema  ·  local file"]
    assert panel.use.text() == "In use"
    panel.weights.setCurrentIndex(1)
    assert panel.use.isEnabled()
    with qtbot.waitSignal(networks.chosen) as heard:
        panel.use.click()
    assert heard.args == [NetworkSpec("squeeze", "/w.pth#ema")]


def test_open_checkpoint_names_the_entry(networks: NetworkPicker, qtbot: QtBot) -> None:
    at(networks, "rcnn")
    with qtbot.waitSignal(networks.checkpoint_wanted) as heard:
        networks.panel.checkpoint.click()
    assert heard.args == ["rcnn"]


def test_device_and_precision_are_applied_at_once(networks: NetworkPicker, qtbot: QtBot) -> None:
    heard = Heard(networks.chosen)
    networks.panel.device.setCurrentIndex(1)
    assert heard.news == []  # nothing is in use yet
    networks.set_spec(NetworkSpec("tiny"))
    networks.open()
    networks.panel.device.setCurrentIndex(2)
    qtbot.mouseClick(networks.panel.half, LEFT)
    assert heard.news == [
        NetworkSpec("tiny", device="cuda:0"), NetworkSpec("tiny", device="cuda:0", half=True),
    ]  # fmt: skip


def test_a_device_that_is_gone_is_still_shown(networks: NetworkPicker) -> None:
    networks.set_spec(NetworkSpec("tiny", device="cuda:7"))
    assert networks.panel.device.currentText() == "cuda:7"


def test_networks_that_do_not_suit_the_view_stand_last(networks: NetworkPicker) -> None:
    networks.set_tasks(frozenset({"detection"}), "Detections")
    assert titles(networks)[:3] == [
        "torchvision", "Faster R-CNN", "Not for Detections, which needs a network for detection",
    ]  # fmt: skip
    networks.set_tasks(frozenset(), "")
    assert not any(line.dim for line in lines(networks) if isinstance(line, CardRow))


def test_the_task_tabs_filter(networks: NetworkPicker) -> None:
    {tab.text(): tab for tab in networks.panel.tabs.buttons()}["Detect"].click()
    assert titles(networks) == ["torchvision", "Faster R-CNN"]
    networks.panel.tabs.button(0).click()
    assert len(titles(networks)) == 8


def test_what_was_loaded_is_shown(networks: NetworkPicker) -> None:
    spec = NetworkSpec("tiny")
    networks.set_spec(spec)
    networks.set_info(
        NetworkInfo(
            spec, "Tiny ResNet", "classification", (), (), "shipped", "Tiny ImageNet", "cpu",
            "bfloat16", 1, "RGB",
        )
    )  # fmt: skip
    assert "cpu · bfloat16" in networks.button.toolTip()
    assert networks.button.badge == "shipped"


def test_an_unknown_network_is_named(networks: NetworkPicker) -> None:
    networks.set_spec(NetworkSpec("from-a-plug-in"))
    assert networks.button.text() == "from-a-plug-in"
    networks.open()


def test_a_view_without_a_network_opens_no_dead_pop_up(networks: NetworkPicker) -> None:
    networks.setEnabled(False)
    networks.open()
    assert not networks.popup.isVisible()
    networks.setEnabled(True)
    networks.open()
    assert networks.popup.isVisible()
    networks.popup.hide()


def test_entries_may_change_while_open(networks: NetworkPicker) -> None:
    networks.open()
    networks.set_entries(ENTRIES[1:3])
    networks.set_entries(())
    networks.set_entries(ENTRIES)
    assert len(titles(networks)) == 8


def test_variants_differ_before_they_are_cut(networks: NetworkPicker) -> None:
    """In the list, beside the widest badge, and on the button of a narrow window."""
    titles = [entry.title for entry in catalog.entries()]
    font = scaled_font(networks.font(), 1.0, bold=True)
    metrics = QFontMetrics(font)
    for room in (300, 200):
        shown = [metrics.elidedText(t, Qt.TextElideMode.ElideMiddle, room) for t in titles]
        alike = [title for title, cut in zip(titles, shown, strict=True) if shown.count(cut) > 1]
        assert alike == []


def test_a_list_belongs_to_its_pop_up_before_it_is_opened(qtbot: QtBot) -> None:
    """A widget without a parent is Python's to collect, on whatever thread that happens."""
    for picker in (ViewPicker(), NetworkPicker()):
        qtbot.addWidget(picker)
        assert picker.panel.window() is picker.popup
        assert picker.popup.parent() is picker
