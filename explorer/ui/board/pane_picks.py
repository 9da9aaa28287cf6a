"""Which parameters are picked on which pane, their values, and what a pane shows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.params import Box, Mask, Pick, Point
from explorer.ui.board.canvas import Mode
from explorer.ui.form.picks import PickSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from explorer.core.layers import Pane

_SEVERAL = (Pick.POINTS, Pick.POLYGON)


@dataclass(frozen=True, slots=True)
class PaneOffer:
    """What can be done on a pane, and the present values on it.

    Attributes:
        mode: What the mouse does.
        box: The box with handles; None where there is none.
        step: How far an arrow key moves it.
        truth: The boxes of the ground truth; None where it cannot be edited.
        truth_alone: Dragging beside them draws another one: nothing else takes a box.
        marker: The place that was clicked.
        mask: What is painted.
        painted: A mask can be painted.
        several: The parameter whose points are placed one by one.
        points: Its points.
        adding: A click adds one.
    """

    mode: Mode
    box: Box | None = None
    step: float = 1.0
    truth: Any = None
    truth_alone: bool = True
    marker: Point | None = None
    mask: Mask | None = None
    painted: bool = False
    several: PickSpec | None = None
    points: Any = ()
    adding: bool = False


class PanePicks:
    """The picks of a board.

    Attributes:
        specs: What can be picked.
        values: The present values, by parameter.
        placing: The parameter whose button was pressed: the next clicks place its points.
    """

    def __init__(self) -> None:
        self.specs: tuple[PickSpec, ...] = ()
        self.values: dict[str, Any] = {}
        self.placing = ""

    def set(
        self, specs: Iterable[PickSpec | tuple[Any, ...]], values: Mapping[str, object] | None
    ) -> None:
        """Other picks, with their values."""
        self.specs = tuple(PickSpec(*spec) for spec in specs)
        self.values = dict(values or {})

    def params(self, kind: Pick, pane: Pane | None) -> list[str]:
        """The parameters that are picked in this way on `pane`."""
        return [spec.param for spec in self.specs if spec.kind is kind and _fits(spec, pane)]

    def clicked(self, pane: Pane | None) -> list[str]:
        """The parameters that a click on `pane` sets.

        Several points are set one after the other, until they are cleared.
        """
        params = self.params(Pick.CLICK, pane)
        if len(params) > 1:
            params = [param for param in params if self.values.get(param) is None][:1]
        return params

    def several(self, pane: Pane | None) -> PickSpec | None:
        """The parameter whose points are placed one by one on `pane`."""
        return next((s for s in self.specs if s.kind in _SEVERAL and _fits(s, pane)), None)

    def offer(self, pane: Pane | None) -> PaneOffer:
        """What `pane` offers and shows."""
        boxes, clicks = self.params(Pick.DRAG, pane), self.params(Pick.CLICK, pane)
        masks, truths = self.params(Pick.BRUSH, pane), self.params(Pick.TRUTH, pane)
        several = self.several(pane)
        adding = several is not None and self._adds(several)
        mode = Mode.LOOK
        if masks:
            mode = Mode.PAINT
        elif boxes:
            mode = Mode.BOX
        elif adding:
            mode = Mode.POINTS
        elif clicks or self.params(Pick.HOVER, pane):
            mode = Mode.POINT
        box = next((self.values.get(param) for param in boxes), None)
        mark = self.values.get(clicks[0]) if len(clicks) == 1 else None
        mask = next((self.values.get(param) for param in masks), None)
        return PaneOffer(
            mode,
            box=box if isinstance(box, Box) else None,
            step=next((spec.step for spec in self.specs if spec.param in boxes), 1.0),
            truth=self.values.get(truths[0], ()) if truths else None,
            truth_alone=not boxes,
            marker=mark if isinstance(mark, Point) else None,
            mask=mask if isinstance(mask, Mask) else None,
            painted=bool(masks),
            several=several,
            points=self.values.get(several.param, ()) if several is not None else (),
            adding=adding,
        )

    def _adds(self, spec: PickSpec) -> bool:
        """Whether a click adds a point: some are placed only after a button was pressed."""
        return not spec.by_button or spec.param == self.placing


def _fits(spec: PickSpec, pane: Pane | None) -> bool:
    if pane is None:
        return False
    return spec.pane == pane.name if spec.pane else pane.frame == "image"
