"""Joints by regression, refined in a cascade (DeepPose), beside the answer of heat maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import Board
from explorer.core.network_info import untrained_note
from explorer.core.params import Box, Effect, NetworkRef, Pick, param
from explorer.core.step import Step
from explorer.engine.scene import checked
from explorer.engine.view import Group, View
from explorer.views.segmentation.pose_regression.panes import (
    PARTS,
    Result,
    image_pane,
    other_pane,
    stage_pane,
)
from explorer.views.segmentation.pose_regression.people import (
    heat_keypoints,
    people_in,
    subject_of,
)
from explorer.views.segmentation.pose_regression.tables import (
    apart,
    apart_bars,
    joints_table,
    moved,
    stage_bars,
)
from explorer.views.shared.common import percent, photo_of
from explorer.vision.detection.limbs import keypoint_names
from explorer.vision.features.cascade import Cascade, cascade_of
from explorer.vision.features.person_crops import person_crop

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32, UInt8
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network
    from explorer.views.segmentation.pose_regression.people import People

EXPLANATION = r"""
**Regression** of a pose: a convolutional network takes a crop of one person and outputs $2K$
numbers, the coordinates of $K$ keypoints. There is no heat map and no search for a maximum: the
last layer *is* the pose $\mathbf{y} = (y_1, \dots, y_K)$. Each $y_k = (x_k, y_k)$ is normalized by
the box with its center $b_c$, width $b_w$ and height $b_h$, so that the size and position of the
person do not matter:

$$ N(y_k; b) = \begin{pmatrix} 1 / b_w & 0 \\ 0 & 1 / b_h \end{pmatrix} (y_k - b_c) $$

The loss is the squared distance, because this is regression. A pose in one step is **holistic**: an
occluded elbow is placed where it is likely, given all the rest. But the crop has a low resolution,
so the first stage is not precise.

**The cascade.** Every later stage $s$ takes a part of the picture around each keypoint, at a higher
resolution, and predicts only a displacement:

$$ y_k^{s} = y_k^{s-1} + N^{-1} \left( \psi_k ( N(x; b_k^{s}) ); \; b_k^{s} \right) $$

The side of the part $b_k^{s}$ is a multiple of the size of the pose. The panes show the crop after
every stage, the arrows what the stage moved, the square the part for the *selected keypoint*.
All of these panes zoom together.

**What differs from the paper.** In Lite DeepPose the parts are cut out of a feature map (RoIAlign),
not out of the picture, and a later stage ends in a small heat map over its part, shown in colors;
the keypoint is its **mean** position, which can be differentiated (*integral regression*):

$$ y_k = \sum_{p} \, p \; h_k(p) $$

**Beside it** stand the keypoints of a second network for the same person, by heat maps (see
*Keypoints by heat maps*). Typical differences: heat maps are more precise where a joint is visible,
and can jump to another person or the other side; a regressed pose is always a plausible pose, but
too close to the average one.

**Faces.** A face network has five keypoints: the eyes, the nose and the corners of the mouth. Its
second stage takes small windows of the picture around each of them, as in Sun et al. 2013.

**Try it.** Drag a box around one person or one face. Without a box the people that the second
network detects are used; click another one.

**Sources.** Toshev and Szegedy 2014, *DeepPose*, section 3; Sun, Wang and Tang 2013, *Deep
Convolutional Network Cascade for Facial Point Detection*; Sun et al. 2018, *Integral Human Pose
Regression*; He et al. 2017, *Mask R-CNN*, section 5 (heat maps).
"""

SECOND = NetworkRef("lite-keypointrcnn")


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    box: Box | None = param(
        None, "Drawn box",
        "Draw it around one person or one face; Delete removes it and the detected ones are used.",
        pick=Pick.DRAG, pane="image", step=1.0,
    )  # fmt: skip
    person: int | None = param(
        None, "Person",
        "Click one of the detected boxes; 1 is the one with the highest score. Used when you have "
        "not drawn a box.",
        pick=Pick.SELECT, layer="people", kept=False,
    )  # fmt: skip
    second: NetworkRef = param(
        SECOND, "Second network",
        "It detects the people, and its heat maps are shown for the same box.",
        tasks=frozenset({"detection"}),
    )  # fmt: skip
    joint: int | None = param(
        None, "Keypoint",
        "Click it on the photo or in the table; 1 is the first there. By default the one that the "
        "later stages move most.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="joints",
    )  # fmt: skip
    parts: str = param(
        PARTS[0], "Parts", "The parts of the crop that the later stages look at.",
        effect=Effect.DRAW, choices=PARTS,
    )  # fmt: skip
    opacity: float = param(
        0.7, "Heat map opacity", "Opacity of the heat map of a part.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    names: bool = param(
        False, "All names", "Shows the names of all keypoints on the photo.", effect=Effect.DRAW
    )


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    network, second = scene.network, scene.network_of(params.second)
    subject = subject_of(network.info.classes)
    people = scene.memo(
        ("people", second.info.spec, subject), lambda: people_in(scene, second, subject)
    )
    box, origin, person = _subject(scene, params, people, subject)
    crop, cascade = scene.memo(
        ("cascade", box.tobytes()), lambda: regressed(network, scene.image.pixels, box)
    )
    other = heat_keypoints(people, box)
    notes = []
    if second.info.untrained:
        notes.append(untrained_note(second.info.title))
    if people.trace is None:
        notes.append(f"{second.info.title} has no keypoint branch to compare with.")
    yield Step(
        Result(
            photo_of(scene), box, origin, people.boxes, person, crop, cascade,
            keypoint_names(network.info.keypoints, cascade.stages.shape[1]), other,
            network.info.title, tuple(notes),
        )
    )  # fmt: skip


@torch.no_grad()
def regressed(network: Network, pixels: UInt8, box: Float32) -> tuple[UInt8, Cascade]:
    """A pose network on the square around a (4,) box of (H, W, 3) pixels: its input and output.

    Raises:
        ExplorerError: It is no pose network, or its output is not finite.
    """
    preprocess = network.preprocess
    side = preprocess.crop or preprocess.resize
    crop = person_crop(pixels, box, side if isinstance(side, int) else 224)
    values = preprocess.fed(crop).to(network.device, network.dtype)
    return crop, cascade_of(checked(network.module(values)))


def _subject(
    scene: Scene, params: Params, people: People, subject: str
) -> tuple[Float32, str, int | None]:
    """The (4,) box that is used, where it comes from, and which of the detected ones it is."""
    if params.box is not None:
        box = params.box
        return np.array([box.x0, box.y0, box.x1, box.y1], np.float32), "your box", None
    if len(people.boxes):
        row = min(max((params.person or 1) - 1, 0), len(people.boxes) - 1)
        return people.boxes[row], f"{subject} {people.scores[row]:.2f}", row
    height, width = scene.image.pixels.shape[:2]
    return np.array([0, 0, width, height], np.float32), "the whole photo", None


def draw(result: Result, params: Params) -> Board:
    joint = _joint(result, params)
    panes = [
        image_pane(result, joint, names=params.names),
        *(
            stage_pane(result, stage, joint, parts=params.parts, opacity=params.opacity)
            for stage in range(len(result.cascade.stages))
        ),
    ]
    if result.other is not None:
        panes.append(other_pane(result))
    plots = (stage_bars(result), apart_bars(result))
    return Board(
        tuple(panes), plots=tuple(plot for plot in plots if plot is not None),
        tables=(joints_table(result),), summary=_summary(result), notes=_notes(result, params),
    )  # fmt: skip


def data(result: Result, params: Params) -> dict[str, Any]:
    """The keypoints after every stage.

    Keys: `box` (4,) float32 xyxy in the photo's pixels, `square` (4,) the crop; `names`; `stages`
    (S, K, 2) float32 x, y on the photo; `parts` (S - 1, K, 4) as fractions of the crop, `heat` (S -
    1, K, h, w) where the later stages have it; of the second network `heat_map_keypoints` (K', 2)
    on the photo, `heat_map_scores` (K',) and `heat_map_names`.
    """
    answer: dict[str, Any] = {
        "box": result.box,
        "square": result.square,
        "names": result.names,
        "stages": result.places,
        "parts": result.cascade.parts,
    }
    if result.cascade.heat is not None:
        answer["heat"] = result.cascade.heat
    if result.other is not None:
        answer |= {
            "heat_map_keypoints": result.other.places,
            "heat_map_scores": result.other.scores,
            "heat_map_names": result.other.names,
        }
    return answer


def _joint(result: Result, params: Params) -> int:
    count = len(result.names)
    if params.joint is not None:
        return min(max(params.joint - 1, 0), count - 1)
    steps = moved(result)
    return int(steps.sum(axis=0).argmax()) if len(steps) else 0


def _notes(result: Result, params: Params) -> tuple[str, ...]:
    notes = list(result.notes)
    if params.box is None and result.person is None:
        notes.append(
            "Nobody was detected: the whole photo is used. Draw a box around one person or face."
        )
    return tuple(notes)


def _summary(result: Result) -> str:
    words = [f"{result.title}: {len(result.names)} keypoints of {result.origin}"]
    steps = moved(result)
    if len(steps):
        first = np.linalg.norm(result.cascade.stages[-1] - result.cascade.stages[0], axis=1).mean()
        stages = "the later stages move" if len(steps) > 1 else "the second stage moves"
        words.append(f"{stages} them by {percent(float(first))} of the crop")
    if far := apart(result):
        mean = percent(float(np.mean(list(far.values()))))
        words.append(f"{mean} from the heat maps of {result.other.title if result.other else ''}")
    return " · ".join(words)


VIEW = View(
    name="pose_regression",
    title="Pose by regression",
    group=Group.SEGMENTATION,
    summary="Keypoints of one person or face by regression, refined in a cascade, beside heat "
    "maps.",
    explanation=EXPLANATION,
    reference="Toshev and Szegedy 2014, DeepPose, section 3",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"pose"}),
    data=data,
)
