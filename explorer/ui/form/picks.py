"""What the board has to know about a parameter that is picked on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from explorer.core.params import Parameter, Pick


class PickSpec(NamedTuple):
    """A parameter that the canvas writes; see `explorer.core.params.Meta`."""

    param: str
    kind: Pick
    pane: str = ""
    layer: str = ""
    step: float = 1.0
    """How far an arrow key moves a box."""

    @classmethod
    def of(cls, parameter: Parameter) -> PickSpec:
        meta = parameter.meta
        return cls(parameter.name, meta.pick, meta.pane, meta.layer, meta.step or 1.0)
