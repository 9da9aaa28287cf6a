"""A view: parameters, a computation and a drawing, in one file, without Qt.

A view module in `explorer.views` defines one `VIEW = View(...)`. Its form, menu entry, worker
thread, progress, cancel button, export and command line come from here.

The computation is a generator of steps: every step carries a result that can already be drawn, the
last one is the answer. It is closed (its `finally` runs) when nobody wants the answer any more. It
must never `yield` inside a `with` that touches torch's or a model's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from explorer.core.layers import Board
    from explorer.core.step import Step
    from explorer.engine.scene import Scene

R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class View(Generic[R]):
    """A way to look at what a network computes.

    Attributes:
        name: The command line's word, a Python identifier.
        title: The menu's words.
        group: The heading it is listed under.
        summary: One sentence for the picker.
        explanation: Markdown beside the view: what is seen, how to read it, the formula.
        reference: The paper, as "Ren et al. 2015, Faster R-CNN, section 3.1".
        Params: A frozen dataclass whose fields are made by `param`.
        compute: ``(scene, params) -> Generator[Step, params | None, None]``, on the runner's
            thread. A yield gives back the newest params when a `STEER` parameter has changed, else
            None.
        draw: ``(result, params) -> Board``: pure, cheap, numpy only, on the window's thread.
        tasks: The network tasks it can look at; empty = any network with an image input.
        data: ``(result, params) -> mapping`` of arrays and plain values for --data exports; by
            default the tables of the board.
        live: It may follow a camera.
        film: Its steps make a film worth exporting.
        answer_only: It needs the network's answer and nothing from inside: live, the network may be
            a faster copy that says the same up to rounding.
    """

    name: str
    title: str
    group: str
    summary: str
    explanation: str
    reference: str
    Params: type
    compute: Callable[[Scene, Any], Generator[Step[R], Any, None]]
    draw: Callable[[R, Any], Board]
    tasks: frozenset[str] = frozenset()
    data: Callable[[R, Any], Mapping[str, Any]] | None = None
    live: bool = True
    film: bool = False
    answer_only: bool = False

    def suits(self, task: str) -> bool:
        return not self.tasks or task in self.tasks
