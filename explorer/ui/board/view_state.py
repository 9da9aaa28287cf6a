"""Reading back the zoom and position of panes from a session file that anybody may have edited."""

from __future__ import annotations

from explorer.ui.board.pan_zoom import Viewpoint

Views = dict[str, tuple[tuple[float, float], Viewpoint]]
"""By pane name: the frame's size and viewpoint."""


def readable(state: object) -> tuple[bool | None, float | None, Views]:
    """Overlays, the wipe's divider and the viewpoints of a state; what is not valid is ignored."""
    if not isinstance(state, dict):
        return None, None, {}
    overlays, wipe, views = state.get("overlays"), state.get("wipe"), state.get("views")
    found: Views = {}
    for name, entry in views.items() if isinstance(views, dict) else ():
        if not (isinstance(entry, list) and len(entry) == 6 and isinstance(entry[5], bool)):
            continue
        # NaN is below nothing, and a whole number may be too large for a float.
        if not all(isinstance(number, int | float) and abs(number) < 1e9 for number in entry[:5]):
            continue
        width, height, x, y, scale = (float(number) for number in entry[:5])
        if scale > 0:
            found[str(name)] = ((width, height), Viewpoint(x, y, scale, entry[5]))
    return (
        overlays if isinstance(overlays, bool) else None,
        wipe if isinstance(wipe, float) and 0.0 <= wipe <= 1.0 else None,
        found,
    )
