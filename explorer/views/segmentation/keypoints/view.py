"""The keypoints of people by heat maps, from the box to the photo: Keypoint R-CNN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.network_info import KEYPOINT_HEAD
from explorer.core.params import Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.stages import trace_of
from explorer.engine.view import Group, View
from explorer.views.segmentation.keypoints.panes import (
    VALUES,
    grid_pane,
    heat_pane,
    image_pane,
    joints_pane,
    maps_pane,
)
from explorer.views.segmentation.keypoints.result import ROI_ALIGN, Result, opened
from explorer.views.segmentation.keypoints.tables import (
    joints_table,
    people_table,
    score_bars,
    way_table,
)
from explorer.views.shared.common import score_threshold
from explorer.views.shared.detections import detected
from explorer.vision.detection.limbs import keypoint_names
from explorer.vision.trace import TwoStage
from explorer.vision.trace.keypoint_branch import layers_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
Mask R-CNN with one more branch locates **keypoints** of people: it predicts one **heat map** for
each of $K$ keypoints in every box. It is *top-down*: first the boxes, then the keypoints inside
each.

**The branch**, pane by pane, for the selected person:

1. **RoIAlign** pools the box from a feature map into $14 \times 14$ bins, each the mean of a few
   bilinear samples (white dots). Rounding, as RoIPool does it, would shift keypoints by up to half
   a cell of 8 or more pixels. Lite Keypoint R-CNN appends bins of a finer map, of stride 4, as
   further channels.
2. A row of $3 \times 3$ **convolutions** keeps the size. *Stage* selects the layer whose maps are
   shown.
3. A **transposed convolution** doubles height and width to 28, and bilinear interpolation doubles
   them again: $56 \times 56$ places, because a keypoint must be located more precisely than a box.

**The heat map** is trained as a classification over all places: exactly one of them is correct, and
the loss is the cross-entropy of the softmax. With the logits $z_k$ of keypoint $k$:

$$ p_k(i, j) = \frac{\exp z_k(i, j)}{\sum_{u, v} \exp z_k(u, v)} $$

A sharp peak means a confident location; two peaks are typical of a left and a right joint that look
alike.

**Back to the photo.** The map is resized to the box, $\lceil w \rceil \times \lceil h \rceil$
pixels, by bicubic interpolation. Its maximum, in row $i$ and column $j$, is the keypoint, and the
logit there its **score**:

$$ x = x_0 + \left( j + \tfrac{1}{2} \right) \frac{w}{\lceil w \rceil} $$

$$ y = y_0 + \left( i + \tfrac{1}{2} \right) \frac{h}{\lceil h \rceil} $$

The table shows these numbers for the selected keypoint. A score is a logit, not a probability, and
every keypoint gets a location, also an occluded one or one outside the photo: *Min. keypoint score*
hides those with low scores.

**Try it.** Click a person, then a heat map. Compare *logits* and *softmax*: the softmax shows the
peak, the logits also the weaker alternatives. Over the photo the softmax is drawn.

**Sources.** He et al. 2017, *Mask R-CNN*, section 5 (keypoints) and section 3 (RoIAlign); Lin et
al. 2014, *Microsoft COCO* (the 17 keypoints).
"""


def _stages(info: NetworkInfo) -> tuple[str, ...]:
    return (ROI_ALIGN, *layers_of([layer.name for layer in info.layers if layer.leaf]))


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    score: float | None = param(
        None, "Min. score",
        "People with a lower score are hidden. Default: 0.5, or the threshold on the network's "
        "card.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, suggested=score_threshold,
    )  # fmt: skip
    keypoint_score: float = param(
        0.0, "Min. keypoint score",
        "Keypoints with a lower score (the maximum of their heat map) are hidden; occluded joints "
        "score low.",
        effect=Effect.DRAW, low=-20.0, high=40.0, step=0.5,
    )  # fmt: skip
    person: int | None = param(
        None, "Person",
        "Click one on the photo or in the table, where 1 is the one with the highest score, the "
        "default.",
        pick=Pick.SELECT, layer="people", kept=False,
    )  # fmt: skip
    joint: int | None = param(
        None, "Keypoint",
        "Click a heat map or a row of the table; 1 is the first of these. By default the one with "
        "the highest score.",
        pick=Pick.SELECT, layer="joints",
    )  # fmt: skip
    stage: str = param(
        "", "Stage", "The layer of the branch whose maps are shown.", choices=_stages
    )
    channel: int | None = param(
        None, "Channel",
        "The channel of the feature map under the bins: click one of the maps. Off: the mean of "
        "all channels.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="channels",
    )  # fmt: skip
    values: str = param(
        VALUES[0], "Heat maps show", "The logits, or the probabilities of the places.",
        effect=Effect.DRAW, choices=VALUES,
    )  # fmt: skip
    opacity: float = param(
        0.75, "Opacity", "Opacity of the keypoint's probabilities over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    names: bool = param(
        False, "All names", "Shows the names of all keypoints of the selected person.",
        effect=Effect.DRAW,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    info = scene.network.info
    stages = _stages(info)
    if len(stages) == 1:
        raise ExplorerError(
            f"{info.title} has no keypoint branch.",
            "Choose a Keypoint R-CNN, such as lite-keypointrcnn or keypointrcnn_resnet50_fpn.",
        )
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    answer = detected(scene)
    assert answer.found.keypoints is not None
    count = len(answer.found)
    person = None
    if count:
        row = min(max((params.person or 1) - 1, 0), count - 1)
        joint = None if params.joint is None else params.joint - 1
        stage = params.stage or stages[0]
        person = scene.memo(
            ("keypoint branch", row, joint, stage),
            lambda: opened(scene.network.module, trace, row, joint, stage),
        )
    names = keypoint_names(info.keypoints, answer.found.keypoints.shape[1])
    yield Step(Result(answer.photo, answer.found, names, score_threshold(info), person))


def draw(result: Result, params: Params) -> Board:
    person = result.person
    rows = _shown(result, params)
    panes = [
        image_pane(
            result, rows, least=params.keypoint_score, opacity=params.opacity, names=params.names,
        )
    ]  # fmt: skip
    tables = [people_table(result, rows, params.keypoint_score)]
    if person is None:
        return Board(tuple(panes), tables=tuple(tables), summary="No person was detected.")
    channel = _channel(params, len(person.maps))
    # Further channels of the pooled grid come from another map, see `EdgeRoIAlign`.
    pooled = person.stage == ROI_ALIGN and (channel or 0) < len(person.region.values)
    panes += [
        grid_pane(result, person, channel if pooled else None),
        maps_pane(result, person, channel),
        heat_pane(result, person, params.values),
        joints_pane(result, person, params.values),
    ]
    tables += [joints_table(result, person), way_table(result, person)]
    return Board(
        tuple(panes), plots=(score_bars(result, person),), tables=tuple(tables),
        summary=_summary(result, params, rows),
    )  # fmt: skip


def data(result: Result, params: Params) -> dict[str, Any]:
    """The people that are shown, and the stages of the selected one.

    Keys: `boxes` (N, 4) float32 xyxy and `keypoints` (N, K, 3) float32 x, y, v in the photo's
    pixels, `scores` (N,), `labels` (N,) int64 numbers of classes, `keypoint_scores` (N, K) logits,
    `keypoint_names`; of the selected person
    `person` its row among the network's detections, `box` (4,) in pixels of the network's input,
    `stage` and `maps` (C, h, w) of it, `heat_maps` (K, 56, 56) logits, `maxima` (K, 2) row and
    column in these, `joint` and `resized` (H, W), its map resized to the box.
    """
    rows = _shown(result, params)
    answer: dict[str, Any] = {
        "boxes": result.found.xyxy[rows],
        "scores": result.found.scores[rows],
        "labels": result.found.labels[rows],
        "keypoints": result.points[rows],
        "keypoint_scores": result.scores[rows],
        "keypoint_names": result.names,
    }
    if (person := result.person) is not None:
        answer |= {
            "person": person.row, "box": person.region.box, "stage": person.stage,
            "maps": person.maps, "heat_maps": person.logits, "maxima": person.peaks,
            "joint": result.names[person.joint], "resized": person.values,
        }  # fmt: skip
    return answer


def _shown(result: Result, params: Params) -> NDArray[np.intp]:
    """Rows of the detections above the score."""
    least = result.least if params.score is None else params.score
    return np.flatnonzero(result.found.scores >= least)


def _channel(params: Params, count: int) -> int | None:
    return None if params.channel is None else min(max(params.channel, 0), count - 1)


def _summary(result: Result, params: Params, rows: NDArray[np.intp]) -> str:
    person = result.person
    assert person is not None
    least = result.least if params.score is None else params.score
    name = result.names[person.joint].replace("_", " ")
    x, y = result.points[person.row, person.joint, :2]
    people = quantity(len(rows), "person", "people")
    return (
        f"{people} (score >= {least:.2f}) · selected: score "
        f"{result.found.scores[person.row]:.2f}, {name} at {x:.0f}, {y:.0f} with logit "
        f"{person.scores[person.joint]:.1f}"
    )


VIEW = View(
    name="keypoints",
    title="Keypoints by heat maps",
    group=Group.SEGMENTATION,
    summary="Skeletons of people, and how Keypoint R-CNN gets each keypoint from a heat map.",
    explanation=EXPLANATION,
    reference="He et al. 2017, Mask R-CNN, section 5",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
    begins_with="lite-keypointrcnn",
    parts=(KEYPOINT_HEAD,),
)
