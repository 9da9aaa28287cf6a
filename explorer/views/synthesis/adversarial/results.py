"""What an attack has found so far: plain values, from the runner's thread to the window's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.views.shared.common import class_name, percent
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.adversarial.boxes import SAME_PLACE
from explorer.vision.features.classification import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32, UInt8
    from explorer.vision.detection.detections import Detections

    Floats = NDArray[np.float64]

NOTHING = "no detection"


@dataclass(frozen=True, slots=True)
class Row:
    """One update.

    Attributes:
        step: Its number; 0 = before the first.
        loss: The goal's loss, d in the penalized objective.
        penalty: lambda |r|^2, 0 where the method has none.
        slope: Euclidean norm of the gradient; 0 where none was computed.
        linf: Largest change of a value, in 1/255.
        l2: Euclidean norm of the perturbation, for values in [0, 1].
        now: Probability of the class that was the top one, or the score of what is at the place.
        wanted: Probability of the wanted class or of the present top one, score of the wanted box.
        words: The top class, or what is detected at the place.
        reached: Whether the attack has succeeded.
        weight: lambda of this round; 0 where there is none.
    """

    step: int
    loss: float
    penalty: float
    slope: float
    linf: float
    l2: float
    now: float
    wanted: float
    words: str
    reached: bool
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """The network's output for a form of the result: `what` it is, the `answer`, `reached`."""

    what: str
    answer: str
    score: float
    reached: bool


@dataclass(frozen=True, slots=True, eq=False)
class ClassOutput:
    """A classifier's output: `before` and `after` are (K,) float32 logits.

    `label` is the top class before, `target` the wanted class, None for any other one.
    """

    classes: tuple[str, ...]
    before: Float32
    after: Float32
    label: int
    target: int | None

    @property
    def top(self) -> int:
        """The top class after."""
        return int(self.after.argmax())

    def shares(self) -> tuple[Float32, Float32]:
        """The probabilities before and after."""
        return softmax(self.before), softmax(self.after)

    def name(self, index: int) -> str:
        return class_name(self.classes, index)

    def words(self) -> str:
        """In a line, as tiger cat 40.1% → ostrich 99.8%."""
        before, after = self.shares()
        first = f"{self.name(self.label)} {percent(float(before[self.label]))}"
        return f"{first} → {self.name(self.top)} {percent(float(after[self.top]))}"


@dataclass(frozen=True, slots=True, eq=False)
class BoxOutput:
    """A detector's output: boxes in pixels of the photo.

    Attributes:
        classes: Names by label.
        before: All detections of the photo.
        after: Those of the result.
        box: (4,) float32, the place that is attacked.
        row: Of `before`, the detection that is attacked; None for a new one.
        goal: The form's words for what shall happen.
        label: The wanted class; None for any.
        score: Detections with a lower score do not count.
        lowered: `score` is lower than the user's, because the attacked detection's is.
    """

    classes: tuple[str, ...]
    before: Detections
    after: Detections
    box: Float32
    row: int | None
    goal: str
    label: int | None
    score: float
    lowered: bool

    def words(self) -> str:
        """In a line, as cat 0.99 → no detection."""
        return f"{self.first} → {self.at_place(self.after)[0]}"

    @property
    def first(self) -> str:
        """The attacked detection with its score."""
        return NOTHING if self.row is None else self._named(self.before, self.row)

    def at_place(self, found: Detections) -> tuple[str, float]:
        """What is detected at the place, with its score: of the wanted class if there is one."""
        overlap = _iou(found.xyxy, self.box)
        rows = np.flatnonzero((overlap >= SAME_PLACE) & (found.scores >= self.score))
        wanted = rows[found.labels[rows] == self.label] if self.label is not None else rows[:0]
        if len(wanted):
            rows = wanted
        if not len(rows):
            return NOTHING, 0.0
        best = int(rows[found.scores[rows].argmax()])
        return self._named(found, best), float(found.scores[best])

    @property
    def label_before(self) -> int | None:
        """The class of the attacked detection; None for a new one."""
        return None if self.row is None else int(self.before.labels[self.row])

    def highest(self, found: Detections, *, wanted: bool) -> float:
        """The highest score at the place, of the class before or of the wanted ones; else 0."""
        there = _iou(found.xyxy, self.box) >= SAME_PLACE
        if not wanted:
            there &= found.labels == self.label_before
        elif self.label is not None:
            there &= found.labels == self.label
        elif self.row is not None:
            there &= found.labels != self.label_before
        return float(found.scores[there].max(initial=0.0))

    def _named(self, found: Detections, row: int) -> str:
        return f"{class_name(self.classes, int(found.labels[row]))} {found.scores[row]:.2f}"


Output = ClassOutput | BoxOutput


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """An attack so far.

    Attributes:
        original: (h, w, 3) uint8, the photo as the network receives it: resized and cropped.
        picture: (h, w, 3) uint8, the result at that size, rounded to 8 bits.
        around: (H, W, 3) uint8, the photo resized and not cropped.
        corner: Row and column of `around` where the crop begins.
        change: (h, w, c) float32, the exact perturbation for values in [0, 1].
        extent: Where the crop lies in the panes' frame.
        size: Width and height of that frame.
        frame: Of the panes: "image", or "resized" for the pixels of `around`.
        output: Before and after.
        rows: One for every update; of several lambdas, those of the present one.
        rounds: The last row of every lambda that is done.
        checks: At the end: the result in a file and opened again.
        problem: Why it stopped early.
        update: The rule that is applied, in letters.
        cache: Of the drawing.
    """

    original: UInt8
    picture: UInt8
    around: UInt8
    corner: tuple[int, int]
    change: Float32
    extent: Extent
    size: tuple[float, float]
    frame: str
    output: Output
    rows: tuple[Row, ...]
    rounds: tuple[Row, ...] = ()
    checks: tuple[Check, ...] = ()
    problem: str = ""
    update: str = ""
    cache: DrawCache = field(default_factory=DrawCache)

    @property
    def last(self) -> Row:
        """The update that is shown."""
        return self.rows[-1]

    @property
    def photo(self) -> UInt8:
        """`around` with the result in place of the crop: a file that can be opened as a photo."""
        return put_back(self.around, self.picture, self.corner)

    def checked(self, checks: tuple[Check, ...]) -> Result:
        """The same with its checks."""
        return replace(self, checks=checks)


def put_back(around: UInt8, picture: UInt8, corner: tuple[int, int]) -> UInt8:
    """A copy of `around` with `picture` from the row and column `corner` on."""
    (top, left), (height, width) = corner, picture.shape[:2]
    whole = around.copy()
    whole[top : top + height, left : left + width] = picture
    return whole


def _iou(boxes: Float32, box: Float32) -> Floats:
    """(N,) IoU of (N, 4) boxes with one."""
    low = np.maximum(boxes[:, :2], box[:2]).astype(np.float64)
    high = np.minimum(boxes[:, 2:], box[2:]).astype(np.float64)
    shared = (high - low).clip(0).prod(axis=1)
    both = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - shared
    return np.asarray(shared / np.maximum(both, 1e-9), np.float64)
