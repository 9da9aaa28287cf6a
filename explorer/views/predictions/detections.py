"""The boxes, instance masks and keypoints of any detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.detection_params import DetectionParams
from explorer.views.shared.detections import (
    answer_board,
    answer_data,
    detected,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.engine.scene import Scene
    from explorer.views.shared.detections import DetectorAnswer

EXPLANATION = """
A detector outputs a set of **boxes**, each with a class and a **score**, its confidence that the
box contains an object of that class.

**Reading it.** The slider hides detections below a score; nothing is computed again, and the
selection is kept. A class has the same color everywhere in the program. Select a detection in the
table or on the photo.

**Ground truth.** Load the photo's annotations or draw its objects. The detections that are shown
are compared with the objects of their class, the highest score first: a **true positive** has at
least the IoU threshold with an object that no earlier detection has matched, every other detection
is a **false positive**, and an object that is not matched is a **false negative**. The evaluation
uses the same rule.

**Two thresholds.** The network drops boxes below a score threshold of its own (0.05 for the R-CNN
family and RetinaNet, 0.2 for FCOS, 0.001 to 0.01 for SSD) and then removes overlapping boxes of the
same class by non-maximum suppression. Moving the slider below that threshold shows no more boxes; a
note tells so. The network itself is never changed.

**Boxes** are regressed from a reference box (xa, ya, wa, ha) by four offsets t:

    x = xa + wa·tx      w = wa·exp(tw)
    y = ya + ha·ty      h = ha·exp(th)

**Words** (YOLO9000). A network with a word tree descends from the root to the most probable child
and stops where the probability falls below a threshold, perhaps already at "dog". The table shows
the last words of the path and the score of the final one.

**Masks** (Mask R-CNN) are a probability for every pixel of a box; a pixel belongs to the object if
its probability is at least the mask threshold. **Keypoints** (Keypoint R-CNN) are the maxima of one
heat map per joint.

Ren et al. 2015, *Faster R-CNN*; He et al. 2017, *Mask R-CNN*; Liu et al. 2016, *SSD*; Lin et al.
2017, *RetinaNet*; Tian et al. 2019, *FCOS*; Redmon and Farhadi 2017, *YOLO9000*, section 4.
"""


def compute(scene: Scene, params: DetectionParams) -> Generator[Step[DetectorAnswer], Any, None]:
    yield Step(detected(scene))


VIEW = View(
    name="detections",
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
