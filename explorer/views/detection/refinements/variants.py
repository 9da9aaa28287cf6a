"""A detector with each refinement alone and with all of them, on one photo."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.evaluation.matching import DataClass, match
from explorer.views.shared.common import photo_of
from explorer.views.shared.detection_params import NO_CLASS
from explorer.views.shared.detections import detected
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.detection.detections import Detections
from explorer.vision.race.lanes import two_stage
from explorer.vision.refinement.ensemble import Member, over_shared_proposals
from explorer.vision.refinement.passes import run_pass
from explorer.vision.refinement.voting import joined, suppressed, voted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.core.values import NetworkRef
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network
    from explorer.vision.refinement.passes import Pass

PLAIN, TOGETHER = "plain", "all together"
AGAIN, SCALES, FLIP = "box refinement", "multi-scale testing", "flip"
VOTING, ENSEMBLE = "box voting", "ensemble"
REFINEMENTS = (AGAIN, VOTING, SCALES, FLIP, ENSEMBLE)

DETECTIONS, PROPOSALS = "detections", "proposals"
"""What an ensemble takes the union of."""

MOST = 100
NMS = 0.5
"""Of a detector that does not say how it suppresses."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is switched on, and how.

    Attributes:
        on: Of `REFINEMENTS`, those that are switched on.
        scales: Besides 1.
        rounds: How often boxes are regressed again.
        voting_iou: Boxes with this IoU vote.
        nms: For the union; None = the network's own threshold.
        others: The networks of the ensemble besides the chosen one.
        union: `DETECTIONS` or `PROPOSALS`.
    """

    on: tuple[str, ...]
    scales: tuple[float, ...]
    rounds: int
    voting_iou: float
    nms: float | None
    others: tuple[NetworkRef, ...]
    union: str


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """The detections with some refinements; `passes` are the forward passes that they take."""

    found: Detections
    passes: int


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What has run so far.

    Attributes:
        photo: As a layer.
        info: The network.
        variants: By name; the first one is `PLAIN`.
        missing: By refinement, why it cannot run.
        nms: The network's own threshold, None = not known.
        members: Titles of the networks of the ensemble.
    """

    photo: Picture
    info: NetworkInfo
    variants: dict[str, Variant]
    missing: dict[str, str] = field(default_factory=dict)
    nms: float | None = None
    members: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=lambda: DrawCache(16))


def plain_of(scene: Scene) -> Result:
    """The network's own detections."""
    found = detected(scene).found
    own = Detections(found.xyxy, found.labels, found.scores)
    return Result(photo_of(scene), scene.network.info, {PLAIN: Variant(own, 1)})


def with_variant(scene: Scene, wish: Wish, result: Result, name: str) -> Result:
    """The same with one more variant, or with the reason why there is none."""
    on = tuple(other for other in wish.on if other not in result.missing)
    try:
        made = _made(scene, wish, on if name == TOGETHER else (name,))
    except ExplorerError as error:
        return replace(result, missing={**result.missing, name: error.message})
    members = result.members
    if name == ENSEMBLE:
        members = tuple(network.info.title for network, _ in _others(scene, wish))
    return replace(
        result, variants={**result.variants, name: made}, members=members,
        nms=_pass(scene, 1.0, flip=False).nms,
    )  # fmt: skip


def _made(scene: Scene, wish: Wish, on: Sequence[str]) -> Variant:
    """The union of all boxes that these refinements give, suppressed, and voted for.

    Raises:
        ExplorerError: The network has not what the refinement needs.
    """
    scales = (1.0, *wish.scales) if SCALES in on else (1.0,)
    flips = (False, True) if FLIP in on else (False,)
    rounds = wish.rounds if AGAIN in on else 0
    if rounds and not two_stage(scene.network):
        raise ExplorerError(
            f"{scene.network.info.title} has no second stage that could refine its boxes again."
        )
    own = _pass(scene, 1.0, flip=False)
    parts: list[Detections] = []
    passes = 0
    shares = ENSEMBLE in on and wish.union == PROPOSALS
    for scale in scales:
        for flip in flips:
            ran = _pass(scene, scale, flip=flip, rounds=rounds)
            replaced = shares and scale == 1.0 and not flip  # by the means of all heads
            parts += [*(() if replaced else (ran.candidates,)), *ran.again]
            passes += 1
    if ENSEMBLE in on:
        parts += _of_others(scene, wish)
        passes += len(_others(scene, wish))
    union = joined(parts)
    threshold = wish.nms if wish.nms is not None else NMS if own.nms is None else own.nms
    kept = suppressed(union, threshold, MOST if own.most is None else own.most)
    if VOTING in on:
        kept = voted(kept, union, wish.voting_iou)
    return Variant(kept, passes)


def _pass(scene: Scene, scale: float, *, flip: bool, rounds: int = 0) -> Pass:
    key = ("refinements", scale, flip, rounds)
    pixels = scene.image.pixels
    return scene.memo(
        key, lambda: run_pass(scene.network, pixels, scale=scale, flip=flip, rounds=rounds)
    )


def _of_others(scene: Scene, wish: Wish) -> list[Detections]:
    """What the other networks of the ensemble add, in the classes of the chosen one."""
    others, pixels = _others(scene, wish), scene.image.pixels
    if wish.union == PROPOSALS:
        refused = [n for n in (scene.network, *(n for n, _ in others)) if not two_stage(n)]
        if refused:
            raise ExplorerError(f"{refused[0].info.title} has no proposals that could be shared.")
        own = Member(scene.network, np.arange(len(scene.network.info.classes)))
        members = [own, *(Member(network, _inverse(labels, own)) for network, labels in others)]
        key = ("refinements", "proposals", tuple(n.info.spec for n, _ in others))
        return [scene.memo(key, lambda: over_shared_proposals(members, pixels))]
    found = []
    for network, labels in others:

        def run(network: Network = network) -> Pass:
            return run_pass(network, pixels)

        ran = scene.memo(("refinements", network.info.spec), run)
        found.append(relabeled(ran.candidates, labels))
    return found


def _inverse(labels: NDArray[np.int64], own: Member) -> NDArray[np.int64]:
    """From the first network's classes to another's, of the map the other way."""
    found = np.full(len(own.labels), -1, np.int64)
    for other, label in enumerate(labels.tolist()):
        if label >= 0:
            found[label] = other
    return found


def relabeled(found: Detections, labels: NDArray[np.int64]) -> Detections:
    """With the classes of another network; boxes of classes that it lacks are dropped.

    Args:
        found: Of a network with K classes.
        labels: (K,) the other's class of each, -1 = none.
    """
    new = labels[found.labels]
    keep = new >= 0
    return Detections(found.xyxy[keep], new[keep], found.scores[keep])


def _others(scene: Scene, wish: Wish) -> list[tuple[Network, NDArray[np.int64]]]:
    """The other networks with a class in common, and the chosen network's class of each of theirs.

    Raises:
        ExplorerError: There is none.
    """
    info = scene.network.info
    named = [scene.network_of(ref) for ref in wish.others if ref.name != info.spec.name]
    found = []
    for network in dict.fromkeys(named):
        names = [DataClass("" if n in NO_CLASS else n) for n in network.info.classes]
        try:
            labels = match(names, info).labels
        except ExplorerError:
            continue  # no class in common
        if not network.info.untrained or info.untrained:
            found.append((network, labels))
    if not found:
        raise ExplorerError("No other trained network with common classes is chosen for it.")
    return found
