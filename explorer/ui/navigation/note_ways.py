"""What can be done about the notes on a checkpoint, as buttons below them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.network_info import ASSUMED, other_networks, unnamed_note

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.ui.dialogs.messages import Way
    from explorer.ui.shell.desk import Panels
    from explorer.ui.study.study import Study


def ways_for_notes(panels: Panels) -> dict[str, list[Way]]:
    """By the sentence: buttons for the other networks of the file, or for what it does not say."""
    info = panels.study.info
    ways: dict[str, list[Way]] = {}
    if info is not None and info.others:
        names = [Path(weights).name.rpartition("#") for weights in info.others]
        note = other_networks(names[0][0], [part for _, _, part in names])
        ways[note] = _to_others(panels.study, info)
    if info is not None and info.unnamed:
        choose = panels.study.tr("Class names…"), partial(_choose, panels)
        ways[unnamed_note(info.unnamed)] = [choose]
    if info is not None:
        change = panels.study.tr("Change answers…"), partial(_change, panels, info.spec.name)
        ways.update((note, [change]) for note in info.notes if note.endswith(ASSUMED))
    return ways


def _to_others(study: Study, info: NetworkInfo) -> list[Way]:
    words = study.tr("Use {part}")
    return [
        (
            words.format(part=weights.rpartition("#")[2]),
            partial(_use, study, replace(info.spec, weights=weights)),
        )
        for weights in info.others
    ]


def _use(study: Study, spec: NetworkSpec, _checked: bool = False) -> None:
    # The signal carries whether it is checked: not used.
    study.set_network(spec)


def _change(panels: Panels, name: str, _checked: bool = False) -> None:
    panels.networks.panel.answers_wanted.emit(name)


def _choose(panels: Panels, _checked: bool = False) -> None:
    panels.networks.classes_wanted.emit()
