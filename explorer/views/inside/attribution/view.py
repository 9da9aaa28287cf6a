"""Which parts of the photo a prediction depends on, by several methods side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.core.layers import Picture
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.inside.attribution.panes import board
from explorer.views.inside.attribution.params import GRAD_CAM, QUICK, Params, chosen
from explorer.views.inside.attribution.result import Map, Result
from explorer.views.inside.attribution.runs import POINTS, Run
from explorer.views.inside.attribution.targets import choose, known
from explorer.views.shared.common import photo_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from explorer.core.layers import Board
    from explorer.engine.scene import Scene

EXPLANATION = r"""
Which pixels does this prediction depend on? Every pane shows another **attribution method**, for
one and the same target $z$: the logit of a class, the score of *one box* of a detector, a class in
some pixels of a segmentation, or the activation of one unit inside the network. Click a detection
to explain that box. Bright places speak for the target; *Values* shows in blue what speaks against
it.

**Gradients.** How much does $z$ change with pixel $x$ (Simonyan et al. 2013)? *Gradient x input*
multiplies with $x$, *SmoothGrad* averages over noisy copies. **Integrated gradients** average on
the way from a baseline $x'$ to $x$:

$$ m = (x - x') \int_0^1 \frac{\partial z}{\partial x} \Big|_{x' + \alpha (x - x')} d\alpha $$

Their sum is $z(x) - z(x')$; the title shows the **completeness gap**, what is missing to that.

**Deconvnet and guided backpropagation** go back through the network with another rule at every ReLU
with input $a$. For the gradient $g$ from above:

$$ g \, [a > 0] \quad \text{gradient} $$

$$ g \, [g > 0] \quad \text{deconvnet} $$

$$ g \, [a > 0] [g > 0] \quad \text{guided} $$

They look sharp, but depend little on the target.

**Class activation maps** weigh the feature maps $A_k$ of a late layer:

$$ m_{ij} = \max \Big( 0, \sum_k w_k A_{kij} \Big) $$

Grad-CAM takes the mean gradient of a map as $w_k$, Grad-CAM++ weighs the positive gradients of its
cells, Layer-CAM gives every cell its own weight, Score-CAM measures the score with $A_k$ as a mask.
Eigen-CAM is the first principal component of the maps and knows no target.

**LRP** hands the score down layer by layer, to each input $j$ in proportion to what it contributed
to the output $k$:

$$ R_j = \sum_k \frac{a_j w_{jk}}{\sum_i a_i w_{ik}} R_k $$

*LRP through channel* counts only what passes through one channel of a layer.

**Masks.** *Occlusion* hides a window and shows how far the confidence falls. *RISE* shows random
parts and averages the masks by the confidence they leave. **D-RISE** asks of every masked photo how
similar the best detection still is to the box: IoU times the cosine of the class probabilities.
These maps grow while you watch, and need nothing from inside the network.

**One box.** The gradient of a box is that of its class logit for the proposal, anchor or cell that
it came from, held fixed; NMS has no part in it. Grad-CAM averages over the whole feature map and
may light up other objects of the class as well; Layer-CAM and D-RISE stay with the box.

**The color scale.** Methods have different units. With *one scale for all*, each map is divided by
its mean magnitude: 5 x mean is five times the average pixel.

**Faithfulness.** Are these the pixels that matter? **Deletion** hides the most important ones
first: the faster the confidence falls, the better. **Insertion** puts them back into a blurred
photo. **ROAD** replaces them by what their neighbors predict, so that the holes themselves have no
shape. The table gives the area under each curve (AUC).

**Sources.** Simonyan et al. 2013, *Deep Inside Convolutional Networks*; Zeiler and Fergus 2014,
*Visualizing and Understanding Convolutional Networks* (deconvnet, occlusion); Springenberg et al.
2015, *Striving for Simplicity*; Smilkov et al. 2017, *SmoothGrad*; Sundararajan et al. 2017,
*Axiomatic Attribution for Deep Networks*; Selvaraju et al. 2017, *Grad-CAM*; Chattopadhay et al.
2018, *Grad-CAM++*; Wang et al. 2020, *Score-CAM*; Muhammad and Yeasin 2020, *Eigen-CAM*; Jiang et
al. 2021, *LayerCAM*; Bach et al. 2015, *On Pixel-Wise Explanations* (LRP); Achtibat et al. 2023,
*From Attribution Maps to Human-Understandable Explanations*; Petsiuk et al. 2018, *RISE*, and 2021,
*Black-box Explanation of Object Detectors* (D-RISE); Rong et al. 2022, *A Consistent and Efficient
Evaluation Strategy* (ROAD); Adebayo et al. 2018, *Sanity Checks for Saliency Maps*.
"""


DARKER = 0.6
"""Brightness of the gray photo below the maps."""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    if scene.moment is None:
        yield from _still(scene, params)
    else:
        yield Step(_followed(scene, params))


def _still(scene: Scene, params: Params) -> Iterator[Step[Result]]:
    found = choose(scene, params)
    run = Run(scene, params, found)
    maps = {method: Map(method) for method in chosen(params, scene.network.info)}
    photo, backdrop, info = photo_of(scene), _backdrop(scene), scene.network.info
    curves: dict[tuple[str, str], tuple[float, ...]] = {}

    def result() -> Result:
        return Result(
            photo,
            backdrop,
            info,
            found.subject,
            tuple(maps.values()),
            found.detections,
            dict(curves),
        )

    per_map = sum(points + 1 for points in POINTS.values()) if params.faithfulness else 0
    total = sum(run.total(method) + per_map for method in maps)
    begun = 0
    for method in maps:
        for made, _ in run.maps(method):
            maps[method] = made
            ended = made.failed or made.done == made.total
            done = run.total(method) if ended else min(made.done, run.total(method))
            yield Step(result(), begun + done, total, method)
        begun += run.total(method)
    if not params.faithfulness:
        return
    for measure, method in run.measured:
        for values in run.curve(measure, method):
            curves[measure, method] = values
            yield Step(result(), begun + len(values), total, f"{measure} of {method}")
        begun += POINTS[measure] + 1


def _backdrop(scene: Scene) -> Picture:
    def make() -> Picture:
        gray = cv2.cvtColor(scene.image.pixels, cv2.COLOR_RGB2GRAY)
        dark = cv2.convertScaleAbs(gray, alpha=DARKER)
        return Picture(np.asarray(cv2.merge([dark] * 3), np.uint8), name="gray photo")

    return scene.memo("attribution backdrop", make)


def _followed(scene: Scene, params: Params) -> Result:
    """One frame of a camera: the methods of one pass."""
    asked = chosen(params, scene.network.info)
    methods = tuple(method for method in asked if method in QUICK) or (GRAD_CAM,)
    found = choose(scene, params)
    run = Run(scene, params, found)
    maps = []
    for method in methods:
        for made, attribution in run.maps(method):
            maps.append(made)
            if attribution is not None and attribution.confidence is not None:
                found = known(found, scene, attribution.label, attribution.confidence)
    return Result(
        photo_of(scene), _backdrop(scene), scene.network.info, found.subject, tuple(maps),
        found.detections,
        left_out=tuple(method for method in asked if method not in methods),
    )  # fmt: skip


def draw(result: Result, params: Params) -> Board:
    return board(result, params)


def data(result: Result, params: Params) -> dict[str, Any]:
    """Maps and curves.

    Keys: `target` in words and `target_value` (probability, score or activation); by method with
    spaces as underscores, `map_METHOD` (h, w) float32 (NaN = not computed) and `extent_METHOD` (x0,
    y0, x1, y1 in pixels of the photo), `gap` of integrated gradients in parts of what their sum
    should be; `deletion_METHOD`, `insertion_METHOD` and `ROAD_METHOD`, confidences over the part of
    the pixels; of a detector `box` (4,) in pixels of the photo.
    """
    subject = result.subject
    answer: dict[str, Any] = {"target": subject.name, "target_value": subject.number}
    for found in result.maps:
        name = found.method.replace(" ", "_")
        if found.values is not None:
            answer |= {f"map_{name}": found.values, f"extent_{name}": found.extent}
        if found.gap is not None:
            answer["gap"] = found.gap
    for (measure, method), values in result.curves.items():
        answer[f"{measure}_{method.replace(' ', '_')}"] = list(values)
    if subject.selected is not None and subject.box is not None:
        answer["box"] = subject.box
    return answer


VIEW = View(
    name="attribution",
    title="Attribution",
    group=Group.INSIDE,
    summary="Which parts of the photo a class, one box or a unit depends on, by several methods.",
    explanation=EXPLANATION,
    reference="Selvaraju et al. 2017, Grad-CAM; Petsiuk et al. 2021, Black-box Explanation of "
    "Object Detectors via Saliency Maps",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    film=True,
)
