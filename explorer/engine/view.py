"""A view: parameters, a computation and a drawing, in one file, without Qt.

A view module in `explorer.views` defines one `VIEW = View(...)`. Its form, menu entry, worker
thread, progress, cancel button, export and command line come from here.

The computation is a generator of steps: every step carries a result that can already be drawn, the
last one is the result. It is closed (its `finally` runs) when the result is no longer needed. It
must never `yield` inside a `with` that touches torch's or a model's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from explorer.core.network_info import task_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from explorer.core.layers import Board
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.core.step import Step
    from explorer.core.values import NetworkRef
    from explorer.engine.actions import Made
    from explorer.engine.scene import Scene
    from explorer.networks.made import NewNetwork
    from explorer.saving.masks import IndexedMask

P = TypeVar("P")
R = TypeVar("R")


class Needs(Enum):
    """What has to be chosen before a view has anything to show."""

    BOTH = "a photo and a network"
    PHOTO = "a photo"
    NETWORK = "a network"
    NEITHER = "nothing"

    @property
    def photo(self) -> bool:
        return self in (Needs.BOTH, Needs.PHOTO)

    @property
    def network(self) -> bool:
        return self in (Needs.BOTH, Needs.NETWORK)


class Group(Enum):
    """The heading that a view is listed under, in the order of the list.

    The value is the folder of `explorer.views` that holds its views.
    """

    PREDICTIONS = "predictions"
    CLASSIC = "classic"
    DETECTION = "detection"
    SEGMENTATION = "segmentation"
    INSIDE = "inside"
    SYNTHESIS = "synthesis"
    GENERATIVE = "generative"
    LEARNING = "learning"
    EVALUATION = "evaluation"
    OTHER = "other"  # of plug-ins

    @property
    def title(self) -> str:
        return _TITLES[self]

    @property
    def place(self) -> int:
        """Its place in the list, from 0."""
        return list(Group).index(self)


_TITLES = {
    Group.PREDICTIONS: "Predictions",
    Group.CLASSIC: "Classical methods",
    Group.DETECTION: "Detection",
    Group.SEGMENTATION: "Masks and pose",
    Group.INSIDE: "Inside the network",
    Group.SYNTHESIS: "Synthesis",
    Group.GENERATIVE: "Generative networks",
    Group.LEARNING: "Learning",
    Group.EVALUATION: "Evaluation",
    Group.OTHER: "Other",
}
assert set(_TITLES) == set(Group)


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """A button of a view: it does more than show. Afterwards the view is computed again.

    Attributes:
        name: The programs' word, a Python identifier.
        title: The button's words, as in "Keep this network".
        help: One sentence that says what will happen.
        run: ``(scene, params) -> Generator[Step, None, NewNetwork | Made | None]``, on the
            runner's thread, under the rules of `compute`. The steps show progress; a network that
            is returned joins the catalog as "made here", where it is not in it already. None: the
            button begins the view's background job.
        report: The button saves the report of what is shown; nothing is run.
    """

    name: str
    title: str
    help: str
    run: Callable[[Scene, Any], Generator[Step[Any], Any, NewNetwork | Made | None]] | None = None
    report: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BackgroundJob:
    """How the window does a view's computation: behind every question, and on after a restart.

    Elsewhere `compute` is run as any other.

    Attributes:
        kind: Of the job, one of `explorer.jobs.KINDS`; the values of its steps are the view's
            results, or None before the first.
        params: ``(spec, params) -> mapping``: the job's own parameters, by which it is found again.
            Raises an ExplorerError for what cannot be done.
        asked: The inverse, ``mapping -> (spec, params)``.
        survey: What the window computes until the job is begun, as quick as any other view's
            computation; the job then waits for an action whose `run` is None. None: looking begins
            the job.
    """

    kind: str
    params: Callable[[NetworkSpec, Any], Mapping[str, Any]]
    asked: Callable[[Mapping[str, Any]], tuple[NetworkSpec, Any]]
    survey: Callable[[Scene, Any], Generator[Step[Any], Any, None]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class View(Generic[P, R]):
    """What is computed and drawn of a network, with parameters `P` and results `R`.

    Attributes:
        name: The command line's word, a Python identifier.
        title: The menu's words.
        group: The heading it is listed under.
        summary: One sentence for the picker.
        explanation: Markdown beside the view: what is shown, how to read it, formulas in LaTeX
            between dollar signs, and the sources.
        reference: The paper, as "Ren et al. 2015, Faster R-CNN, section 3.1".
        Params: A frozen dataclass whose fields are made by `param`.
        compute: ``(scene, params) -> Generator[Step, params | None, None]``, on the runner's
            thread. A yield gives back the newest params when a `STEER` parameter has changed, else
            None. A `NewNetwork` that it returns at its end joins the catalog as "made here".
        draw: ``(result, params) -> Board``: pure, cheap, numpy only, on the window's thread.
        tasks: The network tasks it supports; empty = any network with an image input.
        best: The one among them with which it shows most: whoever comes to it with another network
            gets one of these, and may choose another one again.
        begins_with: The catalog's network for whoever comes to it with one that it has nothing to
            show of, where not every network for its tasks will do.
        parts: Names of layers; it has something to show of networks with all of them only.
        cells: Networks whose outputs are numbers of cells (`NetworkInfo.cells`) will do, too.
        data: ``(result, params) -> mapping`` of arrays and plain values for --data exports; by
            default the tables of the board.
        mask: ``(result, params) -> IndexedMask | None``: what is written as an indexed PNG.
        page: ``(result, params) -> Board``: whose plots and tables are written as a report, one web
            page; by default those of the board.
        live: It may follow a camera.
        film: Its steps make a film worth exporting.
        answer_only: It needs the network's output and nothing from inside: live, the network may be
            a faster copy with equal outputs up to rounding.
        needs: What must be chosen first. A scene without a photo or a network refuses to give one.
        uses: Networks that it always takes beside the chosen one; `scene.network_of` gives them.
        actions: Its buttons.
        job: It is long work: in the window it is done in the background.
        keeps: What it computes of a folder stays on the disk: in the window the rest can be
            computed in the background, while something else is shown.
    """

    name: str
    title: str
    group: Group
    summary: str
    explanation: str
    reference: str
    Params: type[P]
    compute: Callable[[Scene, P], Generator[Step[R], P | None, NewNetwork | None]]
    draw: Callable[[R, P], Board]
    tasks: frozenset[str] = frozenset()
    best: str = ""
    begins_with: str = ""
    parts: tuple[str, ...] = ()
    cells: bool = False
    data: Callable[[R, P], Mapping[str, Any]] | None = None
    mask: Callable[[R, P], IndexedMask | None] | None = None
    page: Callable[[R, P], Board] | None = None
    live: bool = True
    film: bool = False
    answer_only: bool = False
    needs: Needs = Needs.BOTH
    uses: tuple[NetworkRef, ...] = ()
    actions: tuple[Action, ...] = ()
    job: BackgroundJob | None = None
    keeps: bool = False

    def __post_init__(self) -> None:
        if self.group not in _TITLES:
            words = ", ".join(f"Group.{group.name}" for group in Group)
            raise TypeError(f"the view {self.name} has no group of {words}, got {self.group!r}")
        if self.tasks and not self.needs.network:
            raise TypeError(f"the view {self.name} names tasks, but it needs no network")
        if self.live and not self.needs.photo:
            raise TypeError(f"the view {self.name} is live, but it needs no photo")
        begins = any(action.run is None and not action.report for action in self.actions)
        if begins != (self.job is not None and self.job.survey is not None):
            raise TypeError(
                f"the view {self.name} needs a survey and an action that begins its job"
            )
        object.__setattr__(self, "tasks", frozenset(map(task_of, self.tasks)))
        if self.best and not self.suits(task_of(self.best)):
            raise TypeError(f"the view {self.name} does not suit networks for {self.best}")

    def suits(self, task: str) -> bool:
        return not self.tasks or task in self.tasks

    def takes(self, info: NetworkInfo) -> bool:
        """Whether there is something to show of this very network."""
        has_parts = set(self.parts) <= set(info.layer_names())
        return self.suits(info.task) and (has_parts or (self.cells and info.cells))
