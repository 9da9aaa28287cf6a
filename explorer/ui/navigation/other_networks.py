"""The other networks in the file of a checkpoint, as buttons below the sentence about them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.network_info import other_networks

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkSpec
    from explorer.ui.dialogs.messages import Way
    from explorer.ui.shell.study import Study


def ways_to_others(study: Study) -> dict[str, list[Way]]:
    """By the sentence: a button for each network of the file that is not in use."""
    info = study.info
    if info is None or not info.others:
        return {}
    names = [Path(weights).name.rpartition("#") for weights in info.others]
    parts = [part for _, _, part in names]
    return {
        other_networks(names[0][0], parts): [
            (
                study.tr("Use {part}").format(part=part),
                partial(_use, study, replace(info.spec, weights=weights)),
            )
            for part, weights in zip(parts, info.others, strict=True)
        ]
    }


def _use(study: Study, spec: NetworkSpec, _checked: bool = False) -> None:
    # A button says whether it is checked; nobody asks.
    study.set_network(spec)
