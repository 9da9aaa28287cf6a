"""The boxes, instance masks and keypoints of any detector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.live.memory import brought_back
from explorer.views.shared.detection_params import DetectionParams
from explorer.views.shared.detections import (
    answer_board,
    answer_data,
    detected,
)
from explorer.views.shared.memory import recalled, remember
from explorer.vision.tracking.tracks import matched

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.views.shared.detections import DetectorAnswer

EXPLANATION = r"""
A detector outputs a set of **boxes**, each with a class and a **score**, its confidence that the
box contains an object of that class.

**Reading it.** The slider hides detections below a score; nothing is computed again, and the
selection is kept. A class has the same color everywhere in the program. Select a detection in the
table or on the photo.

**Ground truth.** Load the photo's annotations or draw its objects. The detections that are shown
are compared with the objects of their class, the highest score first. A detection is a **true
positive** (TP) if its IoU with the object that it overlaps most reaches the threshold and no
earlier detection has matched that object; every other detection is a **false positive** (FP), and
an object without a match is a **false negative** (FN). The view *Evaluation* uses the same rule.

$$ \mathrm{IoU}(A, B) = \frac{|A \, \cap \, B|}{|A \, \cup \, B|} $$

with $|\cdot|$ for the area: that of the intersection over that of the union of the two boxes.

**Two thresholds.** The network drops boxes below a score threshold of its own (in torchvision 0.05
for the R-CNN family and RetinaNet, 0.2 for FCOS, 0.01 for SSD and 0.001 for SSDlite) and then
removes overlapping boxes of the same class by non-maximum suppression. Moving the slider below that
threshold shows no more boxes; a note says so. The network itself is never changed.

**Boxes** are regressed from a reference box with center $(x_a, y_a)$, width $w_a$ and height $h_a$
by four offsets $t$:

$$ \begin{aligned} x &= x_a + w_a t_x & w &= w_a \exp(t_w) \\
y &= y_a + h_a t_y & h &= h_a \exp(t_h) \end{aligned} $$

**Word tree** (YOLO9000). A network with a word tree descends from the root to the most probable
child and stops where the probability falls below a threshold, perhaps already at "dog". The table
shows the last words of the path and the score of the final one.

**Masks** (Mask R-CNN) are a probability for every pixel of a box; a pixel belongs to the object if
its probability is at least the mask threshold. **Keypoints** (Keypoint R-CNN) are the maxima of
heat maps, one for each keypoint.

**Sources.** Girshick et al. 2014, *R-CNN*, appendix C (offsets); Ren et al. 2015, *Faster R-CNN*;
He et al. 2017, *Mask R-CNN*, section 3 and section 5 (keypoints); Liu et al. 2016, *SSD*; Lin et
al. 2017, *RetinaNet*; Tian et al. 2019, *FCOS*; Redmon and Farhadi 2017, *YOLO9000*, section 4;
Everingham et al. 2010, *The Pascal Visual Object Classes Challenge*, section 4.2 (matching).
"""


NAME = "detections"

GATE = 0.3
"""From this IoU on a box of the next frame is the same object."""

FRAMES_MISSED = 10
"""In so many frames an object may be missed before its number is given up."""


@brought_back
@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The objects of the last frames, so that a selection stays with its object.

    Attributes:
        xyxy: (N, 4) float32: where each was last found, in the photo's pixels.
        labels: (N,) int64.
        keys: (N,) int64: its number.
        missed: (N,) int64: frames since then.
        following: The next number.
    """

    xyxy: Float32
    labels: NDArray[np.int64]
    keys: NDArray[np.int64]
    missed: NDArray[np.int64]
    following: int = 0

    @classmethod
    def nothing(cls) -> Seen:
        none = np.zeros(0, np.int64)
        return cls(np.zeros((0, 4), np.float32), none, none, none)

    def after(self, xyxy: Float32, labels: NDArray[np.int64]) -> Seen:
        """With the boxes of the next frame first, in their order; then those it lacks."""
        same = self.labels[:, None] == labels
        old, new = matched(self.xyxy, xyxy, GATE, same)
        keys = np.full(len(labels), -1, np.int64)
        keys[new] = self.keys[old]
        fresh = np.flatnonzero(keys < 0)
        keys[fresh] = self.following + np.arange(len(fresh))
        stay = self.missed < FRAMES_MISSED
        stay[old] = False
        return Seen(
            np.concatenate([xyxy, self.xyxy[stay]]),
            np.concatenate([labels, self.labels[stay]]),
            np.concatenate([keys, self.keys[stay]]),
            np.concatenate([np.zeros(len(labels), np.int64), self.missed[stay] + 1]),
            self.following + len(fresh),
        )


def compute(scene: Scene, params: DetectionParams) -> Generator[Step[DetectorAnswer], Any, None]:
    answer, moment = detected(scene), scene.moment
    if moment is not None:
        network = (scene.network.info.spec.name, scene.network.info.spec.weights)
        before = recalled(moment, NAME, network)
        seen = (before or Seen.nothing()).after(answer.found.xyxy, answer.found.labels)
        remember(moment, NAME, before, seen, network)
        answer = replace(answer, numbers=seen.keys[: len(answer.found)])
    yield Step(answer)


VIEW = View(
    name=NAME,
    title="Detections",
    group=Group.PREDICTIONS,
    summary="Detected objects: boxes, classes, scores, instance masks and keypoints.",
    explanation=EXPLANATION,
    reference="Ren et al. 2015, Faster R-CNN; He et al. 2017, Mask R-CNN",
    Params=DetectionParams,
    compute=compute,
    draw=answer_board,
    tasks=frozenset({"detection"}),
    data=answer_data,
    answer_only=True,
)
