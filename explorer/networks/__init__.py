"""Networks: where they come from and what is needed to use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.core.listing import Listing, call_lists

if TYPE_CHECKING:
    from explorer.networks.entry import Entry


def listing() -> Listing[Entry]:
    """Every network of the catalog by name; `state` says whether its weights are here."""
    from explorer.networks import catalog

    return Listing(
        ((entry.name, entry) for entry in catalog.entries()),
        lambda entry: f"{entry.title}: {entry.task} ({entry.state})",
    )


call_lists(__name__, listing)
