"""The other network: whose boxes there are, and its keypoints of the same person by heat maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.detections import detections_of
from explorer.vision.detection.keypoints import located
from explorer.vision.detection.limbs import keypoint_names
from explorer.vision.features.person_crops import face_boxes
from explorer.vision.trace import TwoStage, traced
from explorer.vision.trace.keypoint_branch import run_branch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network

PERSON, FACE = "person", "face"
LEAST_EYES = 0.0
"""The score of eyes and nose from which a face is proposed."""
SAME_FACE = 0.2
"""The IoU of a drawn box and a proposed face that count as one."""
FACE_PARTS = ("nose", "eye")


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Boxes on the photo that a pose network can be shown, the highest score first.

    Attributes:
        subject: `PERSON` or `FACE`.
        boxes: (N, 4) float32 in the photo's pixels, of people or their faces.
        owners: (N, 4) float32, the person of each; the same as `boxes` where these are people.
        scores: (N,) float32 of the people.
        network: That found them.
        trace: Of the network on the photo; None where it has no keypoint branch.
    """

    subject: str
    boxes: Float32
    owners: Float32
    scores: Float32
    network: Network
    trace: TwoStage | None


@dataclass(frozen=True, slots=True, eq=False)
class HeatKeypoints:
    """K keypoints by heat maps.

    Attributes:
        title: Of the network.
        names: Of the keypoints.
        places: (K, 2) float32 in the photo's pixels.
        scores: (K,) logits.
    """

    title: str
    names: tuple[str, ...]
    places: Float32
    scores: Float32


def subject_of(classes: Sequence[str]) -> str:
    """What a pose network locates the keypoints of: its last class."""
    return FACE if classes and classes[-1].casefold() == FACE else PERSON


@torch.no_grad()
def people_in(scene: Scene, network: Network, subject: str) -> People:
    """The people, or their faces, that a detector finds in the scene's photo."""
    pixels = scene.image.pixels
    values = network.preprocess(pixels).to(network.device, network.dtype)
    frame = network.preprocess.frame(*pixels.shape[:2])
    height, width = values.shape[-2:]
    heads: Any = getattr(network.module, "roi_heads", None)
    trace = None
    if heads is not None and callable(getattr(heads, "has_keypoint", None)) and (
        heads.has_keypoint()
    ):  # fmt: skip
        found = traced(network.module, values[0], frame)
        assert isinstance(found, TwoStage)
        trace, output = found, found.output
    else:
        output = network.module(values if network.preprocess.batched else [values[0]])
    answer = detections_of(output, frame, (height, width))
    classes = network.info.classes
    own = [k for k, name in enumerate(classes) if name.casefold() == PERSON]
    rows = np.flatnonzero(
        np.isin(answer.labels, own) & (answer.scores >= network.info.score_threshold)
    )
    owners, scores = answer.xyxy[rows], answer.scores[rows]
    boxes = owners
    if subject == FACE:
        boxes, whose = owners[:0], np.zeros(0, np.intp)
        if answer.keypoints is not None and answer.keypoint_scores is not None:
            names = keypoint_names(network.info.keypoints, answer.keypoints.shape[1])
            shown = answer.keypoint_scores[rows] >= LEAST_EYES
            boxes, whose = face_boxes(answer.keypoints[rows][..., :2], names, shown)
        owners, scores = owners[whose], scores[whose]
    return People(subject, boxes, owners, scores, network, trace)


@torch.no_grad()
def heat_keypoints(people: People, box: Float32) -> HeatKeypoints | None:
    """The keypoint branch on a (4,) box of the photo; None for a detector without one.

    Of a face: on the box of its person, and the keypoints of the face alone; None where it is that
    of nobody who was detected.
    """
    trace, network = people.trace, people.network
    if trace is None:
        return None
    if people.subject == FACE:
        cover = iou_matrix(box[None], people.boxes)[0]
        if cover.max(initial=0.0) < SAME_FACE:
            return None
        box = people.owners[int(cover.argmax())]
    frame = trace.pyramid.frame
    height, width = trace.pyramid.size
    limits = np.array([width, height] * 2, np.float32)
    inside = np.clip(frame.boxes(box[None])[0], 0, limits)
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        return None
    features = next(iter(trace.pyramid.features.values()))
    own = torch.from_numpy(inside).to(features.device, features.dtype)
    maps = run_branch(network.module, trace, own[None])[0]
    found = located(maps, own)
    back = frame.inverse()
    places = found.places.float().cpu().numpy()
    scale, shift = np.array([back.sx, back.sy]), np.array([back.tx, back.ty])
    names = keypoint_names(network.info.keypoints, len(places))
    whole = people.subject != FACE
    kept = [k for k, name in enumerate(names) if whole or name.endswith(FACE_PARTS)]
    return HeatKeypoints(
        network.info.title,
        tuple(names[k] for k in kept),
        (places * scale + shift).astype(np.float32)[kept],
        found.scores.float().cpu().numpy()[kept],
    )
