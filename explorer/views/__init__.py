"""The views: one file each, found by import; other packages add theirs through `explorer.views`."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from explorer.core.errors import ExplorerError
from explorer.core.listing import Listing, call_lists
from explorer.engine.view import View

log = logging.getLogger(__name__)


def discover() -> dict[str, View[Any, Any]]:
    """Every view by name: the modules of this package that define `VIEW`, then the plug-ins'.

    A plug-in that fails to import is left out and logged: it must not take the program down.
    """
    found: dict[str, View[Any, Any]] = {}
    for module_info in pkgutil.walk_packages(__path__, __name__ + "."):
        view = getattr(importlib.import_module(module_info.name), "VIEW", None)
        if isinstance(view, View):
            found[view.name] = view
    for entry in entry_points(group="explorer.views"):
        try:
            view = entry.load()
        except Exception:  # somebody else's code: any failure of it must leave ours standing
            log.exception("the view plug-in %s could not be loaded", entry.name)
            continue
        if isinstance(view, View):
            found[view.name] = view
    return found


def find(name: str) -> View[Any, Any]:
    """The view called `name`.

    Raises:
        ExplorerError: When there is none; the sentence names those there are.
    """
    views = discover()
    if name not in views:
        near = get_close_matches(name, views, n=3, cutoff=0.5)
        meant = f"Did you mean {' or '.join(near)}? " if near else ""
        raise ExplorerError(
            f"There is no view {name!r}.", f"{meant}Choose among: {', '.join(sorted(views))}."
        )
    return views[name]


def listing() -> Listing[View[Any, Any]]:
    """Every view by name, those of plug-ins too; printed, with what each is for."""
    return Listing(sorted(discover().items()), lambda view: view.summary)


call_lists(__name__, listing)
