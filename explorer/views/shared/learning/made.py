"""The network that a training in the background has added to the catalog."""

from __future__ import annotations

from explorer.core.errors import ExplorerError
from explorer.engine.actions import Made
from explorer.networks.made import made_by


def made_with(identity: str) -> Made:
    """That of a training, to be used next.

    Args:
        identity: Of the training: what its settings make it.

    Raises:
        ExplorerError: There is none yet.
    """
    found = made_by(identity)
    if found is None:
        raise ExplorerError(
            "There is no network from a training with these settings yet.",
            "Train first, or wait until the training is done.",
        )
    return Made(*found, use=True)
