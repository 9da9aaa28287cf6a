"""What the board needs of a parameter that is picked on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from explorer.core.params import Kind, Pick

if TYPE_CHECKING:
    from explorer.core.params import Parameter


class PickSpec(NamedTuple):
    """A parameter that the canvas writes; see `explorer.core.params.Meta`."""

    param: str
    kind: Pick
    pane: str = ""
    layer: str = ""
    step: float = 1.0
    """How far an arrow key moves a box."""
    most: int | None = None
    """The largest number of points."""
    by_button: bool = False
    """Points are placed after a button was pressed, not with any click."""

    @classmethod
    def of(cls, parameter: Parameter) -> PickSpec:
        meta, kind = parameter.meta, parameter.meta.pick
        if kind is Pick.TRUTH:  # its mask is painted like any, its joints are placed like any
            kind = _TRUTH[parameter.kind]
        by_button = places_by_button(parameter)
        step = meta.step or 1.0
        return cls(parameter.name, kind, meta.pane, meta.layer, step, meta.most, by_button)


def places_by_button(parameter: Parameter) -> bool:
    """True for points that a click places only when the user has asked for that.

    Joints of the ground truth are placed by any click: that is what one is doing there.
    """
    return parameter.meta.pick in (Pick.POINTS, Pick.POLYGON)


_TRUTH = {Kind.BOXES: Pick.TRUTH, Kind.MASK: Pick.BRUSH, Kind.POINTS: Pick.POINTS}
