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
an object without a match is a **false negative** (FN). An object that the annotations mark as
*difficult* (Pascal VOC) is dashed and counts neither way, and a detection on it is ignored. So is
a *crowd* region (COCO): a detection that has found no single object is ignored if at least that
fraction of its area lies in a crowd of its class. The view *Evaluation* uses the same rule.

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
