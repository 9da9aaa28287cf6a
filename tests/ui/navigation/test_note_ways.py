"""What can be done about a note is a button below it."""

from __future__ import annotations

from dataclasses import replace

from explorer.core.network_info import NetworkSpec, other_networks, unnamed_note
from explorer.ui.board.pinned_result import PinnedResult
from explorer.ui.dialogs.messages import NoteCard
from explorer.ui.shell.presenter import Presenter
from tests.ui.toy_desk import INFO, ToyPanels, photo


def test_a_button_for_each_other_network_of_the_file(panels: ToyPanels) -> None:
    Presenter(panels, PinnedResult(panels.board, "wipe", panels.main))
    study = panels.study
    file = NetworkSpec("other", "/runs/w.pth")
    study.set_network(file)
    study.set_image(photo())
    note = other_networks("w.pth", ["ema", "teacher"])
    info = replace(
        INFO, spec=file, notes=("Another note.", note),
        others=("/runs/w.pth#ema", "/runs/w.pth#teacher"),
    )  # fmt: skip
    panels.bridge.answer(info=info)
    plain, card = panels.inspector.cards()
    assert isinstance(card, NoteCard)
    assert plain.ways == []
    assert card.note == note
    assert [button.text() for button in card.ways] == ["Use ema", "Use teacher"]
    card.ways[1].click()
    assert study.spec == replace(file, weights="/runs/w.pth#teacher")


def test_names_can_be_chosen_where_there_are_none(panels: ToyPanels) -> None:
    Presenter(panels, PinnedResult(panels.board, "wipe", panels.main))
    study, wanted = panels.study, []
    panels.networks.classes_wanted.connect(lambda: wanted.append(1))
    file = NetworkSpec("other", "/runs/w.pth")
    study.set_network(file)
    study.set_image(photo())
    panels.bridge.answer(info=replace(INFO, spec=file, unnamed=4, notes=(unnamed_note(4),)))
    (card,) = panels.inspector.cards()
    assert [button.text() for button in card.ways] == ["Class names…"]
    card.ways[0].click()
    assert wanted == [1]
