"""Which view a network brings along when the one in use does not support it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from explorer.core.network_info import Task
    from explorer.engine.view import View

NATURAL: Mapping[Task, str] = {
    "classification": "classify",
    "detection": "detections",
    "segmentation": "semantic",
    "localization": "localize",
    "pose": "pose_regression",
    "features": "feature_maps",
}
"""By task: the view that shows the output of a network for it."""


def natural_view(
    views: Mapping[str, View[Any, Any]], task: str, *, live: bool = False
) -> View[Any, Any] | None:
    """The view that shows the output of a network for `task`.

    Where its own is missing, the first in the order of the list that supports such a network.

    Args:
        views: By name.
        task: Of the network; "" = not known.
        live: It has to follow frames.
    """
    own = views.get(NATURAL.get(task, ""))  # type: ignore[call-overload]  # any word is asked for
    ordered = sorted(views.values(), key=lambda view: (view is not own, view.group.place))
    fitting = (view for view in ordered if not task or view.suits(task))
    return next((view for view in fitting if view.live or not live), None)
