"""The views: one file each, found by import; other packages add theirs through `explorer.views`."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from importlib.metadata import entry_points
from typing import Any

from explorer.core.errors import ExplorerError
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
        raise ExplorerError(
            f"There is no view {name!r}.", f"Choose among: {', '.join(sorted(views))}."
        )
    return views[name]
