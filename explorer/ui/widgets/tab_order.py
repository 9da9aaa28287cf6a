"""Tab and Shift+Tab: everything that takes the focus, once around, in reading order.

Qt's own ring is the order in which widgets were made, and it stands still at a widget whose focus
proxy is its own child. Rows of a form come and go, so no fixed ring of ours would last either: the
order is read off the screen when the key is pressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def stops(root: QWidget, regions: Sequence[QWidget] = ()) -> list[QWidget]:
    """What Tab reaches under `root`, and what has the focus now, in reading order.

    Args:
        root: A window, or what acts as one (a sheet, a pop-up).
        regions: Parts of `root` that are read one after the other; what stands in none of them
            comes last.
    """
    now = QApplication.focusWidget()  # a click may have set it on something that Tab passes over
    found = [w for w in root.findChildren(QWidget) if w is now or _takes_focus(w, root)]
    ordered: list[QWidget] = []
    for region in regions:
        ordered += reading_order((w for w in found if region.isAncestorOf(w) or w is region), root)
    seen = set(map(id, ordered))
    return ordered + reading_order((w for w in found if id(w) not in seen), root)


def reading_order(widgets: Iterable[QWidget], root: QWidget) -> list[QWidget]:
    """Line by line from above, each line from the side where the language begins.

    What a line holds is decided by its first widget: whatever has its middle beside that one. What
    can be scrolled is read in one go, wherever it is scrolled to.
    """
    scrolled: dict[QWidget, list[QWidget]] = {}
    for widget in widgets:
        scrolled.setdefault(_scrolled_with(widget, root) or widget, []).append(widget)
    places = {part: QRect(part.mapTo(root, QPoint()), part.size()) for part in scrolled}
    rest = sorted(places, key=lambda part: (places[part].top(), places[part].left()))
    mirrored = root.layoutDirection() is Qt.LayoutDirection.RightToLeft
    ordered: list[QWidget] = []
    while rest:
        first = places[rest[0]]
        line = [p for p in rest if first.top() <= places[p].center().y() <= first.bottom()]
        line = line or rest[:1]
        line.sort(key=lambda part: places[part].center().x(), reverse=mirrored)
        for part in line:
            inside = [widget for widget in scrolled[part] if widget is not part]
            ordered += [part] if part in scrolled[part] else []
            ordered += reading_order(inside, part) if inside else []
        taken = set(map(id, line))
        rest = [part for part in rest if id(part) not in taken]
    return ordered


def _scrolled_with(widget: QWidget, root: QWidget) -> QWidget | None:
    """The outermost scroll area between `widget` and `root`."""
    found, around = None, widget.parentWidget()
    while around is not None and around is not root:
        if isinstance(around, QScrollArea):
            found = around
        around = around.parentWidget()
    return found


def step(root: QWidget, forward: bool, regions: Sequence[QWidget] = ()) -> bool:
    """Gives the focus to the next stop under `root` and brings it into sight.

    Returns:
        Whether there was one.
    """
    ring = stops(root, regions)
    if not ring:
        return False
    now = QApplication.focusWidget()
    places = {id(widget): place for place, widget in enumerate(ring)}
    at = places.get(id(now)) if now is not None else None
    if at is None:  # from nowhere: to the first or the last
        at = -1 if forward else 0
    chosen = ring[(at + (1 if forward else -1)) % len(ring)]
    reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
    chosen.setFocus(reason)
    bring_into_sight(chosen)
    return True


def bring_into_sight(widget: QWidget) -> None:
    """Scrolls whatever `widget` stands in so that it is visible."""
    around = widget.parentWidget()
    while around is not None and not around.isWindow():
        if isinstance(around, QScrollArea):
            around.ensureWidgetVisible(widget)
        around = around.parentWidget()


def _takes_focus(widget: QWidget, root: QWidget) -> bool:
    return (
        widget.isVisible()
        and widget.isEnabled()
        and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
        and widget.focusProxy() is None
        and widget.window() is root.window()
    )
