"""Objects of a film or a camera, each with a number that it keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Pane
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.live.memory import brought_back
from explorer.views.predictions.tracks.layers import (
    box_layers,
    count_layers,
    count_plot,
    track_table,
    trails,
)
from explorer.views.shared.common import counts_of, size_of
from explorer.views.shared.detection_params import DetectionParams, class_choices
from explorer.views.shared.detections import (
    DetectorAnswer,
    answer_board,
    answer_data,
    detected,
    shown,
)
from explorer.views.shared.memory import recalled, remember
from explorer.vision.detection.detections import Detections
from explorer.vision.detection.nms import overlaps, suppress
from explorer.vision.tracking.counting import LineCount, RegionCount
from explorer.vision.tracking.tracks import Motion, Settings, Tracks

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.engine.scene import Scene

EXPLANATION = r"""
A detector processes every frame independently. **Tracking** associates the boxes of successive
frames that belong to the same object: each object gets an **ID**, which it keeps as long as it is
tracked.

**Reading it.** Each object has its own color. The line behind it is the path of its center. A thin
dotted box was not detected in this frame: it is drawn at the predicted position, and removed if it
is not detected again in time. A gray dotted box is tentative: it was not detected often enough yet
to get an ID.

**Counting.** *Draw a line*, then click its two ends on the picture; they can be dragged. An object
is counted once when its center crosses the line; the arrow points to the side that is *in*. The
button begins a new line. *Drag a box*: a region. An object that comes in from outside has entered;
one that was there from the start is only inside. Changing the line or the region resets its counts
to 0.

**Prediction.** Each of the four box coordinates (center $x$, $y$, width, height) has a value $p$
and a velocity $v$, with covariance matrix $P$. Between two frames that lie $t$ seconds apart a
**Kalman filter** predicts

$$ \begin{bmatrix} p \\ v \end{bmatrix} \gets F \begin{bmatrix} p \\ v \end{bmatrix} \qquad
F = \begin{bmatrix} 1 & t \\ 0 & 1 \end{bmatrix} $$

$$ P \gets F P F^\top + Q $$

$$ Q = q^2 \begin{bmatrix} t^3 / 3 & t^2 / 2 \\ t^2 / 2 & t \end{bmatrix} $$

Here $q$, in sides of the box, is the process noise of the velocity. The time is that of the film,
so dropped frames do no harm.

**Matching.** Predicted and detected boxes are paired so that the sum of their IoUs is the largest,
by the Hungarian algorithm; no pair has an IoU below *Min. IoU*, and, unless class-agnostic, none
has two classes.

**Correction.** A detection $z$ corrects its track; $r$ is the measurement noise of detections:

$$ \begin{aligned} p &\gets p + \frac{P_{11}}{P_{11} + r^2} \, (z - p) \\
v &\gets v + \frac{P_{12}}{P_{11} + r^2} \, (z - p) \end{aligned} $$

Unmatched boxes start new tracks. Boxes with low scores are matched last: they may continue a track
that is still unmatched, but start none (*ByteTrack*).

**When it fails.** Two objects of a class that overlap for long may swap IDs: this method uses the
positions of boxes, not their appearance. An object that is not detected for longer than *Max. gap*
returns with a new ID. When the film restarts, or a setting of the tracker changes, IDs start at 1
again.

**Sources.** Bewley et al. 2016, *Simple Online and Realtime Tracking* (SORT); Kalman 1960, *A New
Approach to Linear Filtering and Prediction Problems*; Bar-Shalom, Li and Kirubarajan 2001,
*Estimation with Applications to Tracking and Navigation*, section 6.2.2 (the process noise); Kuhn
1955, *The Hungarian Method for the Assignment Problem*; Aharon et al. 2022, *BoT-SORT*, section 3.1
(width and height instead of area and aspect ratio); Zhang et al. 2022, *ByteTrack* (boxes with low
scores).
"""

STILL = "This is a single picture. Start Live with a film or a camera to track objects."
ONE_PLACE = 0.5
"""Boxes of different classes with a larger IoU are one object, if that is set."""

HISTORY_SECONDS = 60.0
"""Of the plot."""
NAME = "tracks"


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    score: float = param(
        0.4, "Min. score for new tracks", "A detection needs at least this score to start a track.",
        low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    low_score: float = param(
        0.2, "Low-score threshold", "A detection needs at least this score to continue a track.",
        low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    classes: tuple[str, ...] = param(
        (), "Classes", "Only these classes are tracked; none chosen means all.",
        choices=class_choices,
    )  # fmt: skip
    line: tuple[Point, ...] = param(
        (), "Counting line",
        "Press the button, then click both ends on the picture: objects that cross the line are "
        "counted. The ends can be dragged.",
        pick=Pick.POINTS, pane="image", most=2,
    )  # fmt: skip
    region: Box | None = param(
        None, "Region", "Drag a box on the picture: objects inside are counted.",
        pick=Pick.DRAG, pane="image",
    )  # fmt: skip
    trail: float = param(
        3.0, "Trail", "Length of the path drawn behind each object.",
        effect=Effect.DRAW, low=0.0, high=10.0, step=0.5, unit="s",
    )  # fmt: skip
    max_gap: float = param(
        1.0, "Max. gap", "A track ends when its object is not detected for this long.",
        low=0.0, high=10.0, step=0.1, unit="s",
    )  # fmt: skip
    min_iou: float = param(
        0.25, "Min. IoU",
        "A detection must overlap the predicted box with at least this IoU to match.",
        low=0.0, high=0.95, step=0.05,
    )  # fmt: skip
    min_hits: int = param(
        3, "Min. hits", "Detections in consecutive frames before a track gets an ID.",
        low=1, high=10, advanced=True,
    )  # fmt: skip
    class_agnostic: bool = param(
        False, "Class-agnostic",
        "Overlapping boxes of different classes are one object, whose class may change.",
    )  # fmt: skip
    lost: bool = param(
        True, "Show unconfirmed", "Draws lost and tentative tracks as dotted boxes.",
        effect=Effect.DRAW, advanced=True,
    )  # fmt: skip


@brought_back
@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What goes from frame to frame.

    Attributes:
        tracks: All of them.
        line: None while no line is drawn.
        region: None while no region is drawn.
        history: (K, 5) float64: seconds, objects, in, out, inside, of the frames so far.
    """

    tracks: Tracks
    line: LineCount | None
    region: RegionCount | None
    history: NDArray[np.float64]

    @classmethod
    def none(cls) -> State:
        return cls(Tracks.none(), None, None, np.zeros((0, 5)))

    def after(self, found: Detections, seconds: float, params: Params) -> State:
        """The state after the detections `found` at `seconds` of the film."""
        tracks = self.tracks.after(found, seconds, _settings(params))
        line, region = _line(params, self.line), _region(params, self.region)
        line, region = line and line.after(tracks), region and region.after(tracks)
        now = (
            seconds, (tracks.numbered & tracks.seen).sum(),
            *((line.into, line.out) if line else (0, 0)), region.inside if region else 0,
        )  # fmt: skip
        young = self.history[self.history[:, 0] >= seconds - HISTORY_SECONDS]
        return State(tracks, line, region, np.concatenate([young, [now]]))


for _part in (Tracks, Motion, LineCount, RegionCount, Settings):  # a state and its key hold them
    brought_back(_part)


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`seen` is the detector's output; `state` is None on a still."""

    seen: DetectorAnswer
    state: State | None


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    seen, moment = detected(scene), scene.moment
    if moment is None:
        yield Step(Result(seen, None))
        return
    key = (_settings(params), params.low_score, params.classes, size_of(seen.photo))
    before = recalled(moment, NAME, key)
    start = before
    if start is None or moment.seconds < start.tracks.seconds:  # the first frame, or a jump back
        start = State.none()
    state = start.after(_followable(seen, params), moment.seconds, params)
    remember(moment, NAME, before, state, key)
    yield Step(Result(seen, state))


def draw(result: Result, params: Params) -> Board:
    seen, state = result.seen, result.state
    if state is None:
        board = answer_board(seen, _filter(params))
        (pane,) = board.panes
        marks = count_layers(_line(params), _region(params), params.line, size_of(seen.photo))
        pane = replace(pane, layers=(*pane.layers, *marks))
        return replace(board, panes=(pane,), notes=(STILL, *board.notes))
    photo, size = seen.photo, size_of(seen.photo)
    layers = (
        photo,
        *trails(state.tracks, photo, params.trail),
        *box_layers(state.tracks, seen.classes, lost=params.lost),
        *count_layers(state.line, state.region, params.line, size),
    )
    half = len(params.line) == 1
    return Board(
        panes=(Pane("image", size, layers),),
        plots=(count_plot(state.history, line=state.line, region=state.region),),
        tables=(track_table(state.tracks, seen.classes),),
        summary=_summary(state, seen.classes),
        notes=("Click the other end of the line.",) if half else (),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The numbered objects that were found in this frame, and the counts so far.

    Keys: `ids` (N,) int64 (0 on a still), `boxes` (N, 4) float32 xyxy in the photo's pixels,
    `labels` (N,) int64, `scores` (N,) float32, `speeds` (N, 2) float32 pixels a second, `classes`
    the names by label, `size` (width, height), `seconds`, `objects` how many numbers were given,
    `crossed_in`, `crossed_out`, `inside`, `entered`, `left`.
    """
    seen, state = result.seen, result.state
    if state is None:
        found = answer_data(seen, _filter(params))
        n = len(found["boxes"])
        state, tracks = State.none(), {"ids": np.zeros(n, np.int64)}
        answer = {**tracks, "speeds": np.zeros((n, 2), np.float32), **found}
        answer.pop("keypoints", None)
    else:
        every = state.tracks
        here = every.numbered & every.seen
        answer = {
            "ids": every.numbers[here],
            "speeds": every.motion.speed[here, :2].astype(np.float32),
            "boxes": every.motion.xyxy[here],
            "labels": every.labels[here],
            "scores": every.scores[here],
            "classes": seen.classes,
            "size": tuple(int(side) for side in size_of(seen.photo)),
        }
    line, region = state.line, state.region
    return {
        **answer,
        "seconds": state.tracks.seconds,
        "objects": state.tracks.count,
        "crossed_in": line.into if line else 0,
        "crossed_out": line.out if line else 0,
        "inside": region.inside if region else 0,
        "entered": region.entered if region else 0,
        "left": region.left if region else 0,
    }


def _settings(params: Params) -> Settings:
    return Settings(
        params.min_iou, params.min_hits, params.max_gap, params.class_agnostic, first=params.score
    )


def _filter(params: Params) -> DetectionParams:
    return DetectionParams(score=params.score, classes=params.classes)


def _followable(seen: DetectorAnswer, params: Params) -> Detections:
    """The boxes that may continue a track; class-agnostic, the best of each place."""
    lower = replace(_filter(params), score=min(params.low_score, params.score))
    rows, found = shown(seen, lower), seen.found
    if params.class_agnostic:
        apart = suppress(overlaps(found.xyxy[rows]), found.scores[rows], threshold=ONE_PLACE)
        rows = rows[apart.picks]
    return Detections(found.xyxy[rows], found.labels[rows], found.scores[rows])


def _line(params: Params, before: LineCount | None = None) -> LineCount | None:
    """The line of the parameters, with the counts so far when it is still the same."""
    if len(params.line) != 2:
        return None
    start, end = params.line
    line = (start.x, start.y, end.x, end.y)
    return before if before is not None and before.line == line else LineCount(line)


def _region(params: Params, before: RegionCount | None = None) -> RegionCount | None:
    if params.region is None:
        return None
    box = (params.region.x0, params.region.y0, params.region.x1, params.region.y1)
    return before if before is not None and before.box == box else RegionCount(box)


def _summary(state: State, classes: tuple[str, ...]) -> str:
    tracks = state.tracks
    here = tracks.numbered & tracks.seen
    waiting = int((~tracks.numbered).sum())
    words = []
    if here.any():
        words.append(counts_of(classes, tracks.labels[here].tolist()))
    elif waiting:
        words.append("Waiting for confirmation")
    else:
        words.append("No tracks")
    words.append(quantity(tracks.count, "track"))
    if state.line is not None:
        words.append(f"line: {state.line.into} in, {state.line.out} out")
    if state.region is not None:
        words.append(f"region: {state.region.inside} inside, {state.region.entered} entered")
    return " · ".join(words)


VIEW = View(
    name=NAME,
    title="Tracks",
    group=Group.PREDICTIONS,
    summary="Tracks objects through a film: IDs, paths, counts at a line and in a region.",
    explanation=EXPLANATION,
    reference="Bewley et al. 2016, Simple Online and Realtime Tracking",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
    answer_only=True,
)
