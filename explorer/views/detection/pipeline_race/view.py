"""Five detection pipelines on one photo: R-CNN, SPP-net, Fast R-CNN, Faster R-CNN, single-stage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Layer, Pane, Picture, label_colors
from explorer.core.listing import quantity
from explorer.core.params import Effect, NetworkRef, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.detection.pipeline_race.charts import (
    LANES,
    over_proposals,
    paper_table,
    seconds_words,
    stage_bars,
    stage_table,
    total_bars,
)
from explorer.views.shared.anchors import BLUE, same
from explorer.views.shared.common import class_name, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.regions.rcnn import MOST, shipped_rcnn
from explorer.vision.proposals.methods import METHODS, propose
from explorer.vision.race.candidates import first
from explorer.vision.race.feature_cache import FeatureCache
from explorer.vision.race.lanes import (
    BATCH,
    Lane,
    WarpedRegions,
    fast_rcnn,
    faster_rcnn,
    rcnn_lane,
    single_stage,
    spp_net,
    two_stage,
)
from explorer.vision.race.networks import (
    BODY,
    SINGLE_STAGE,
    TWO_STAGE,
    has_proposals,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from explorer.core.layers import Float32
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network
    from explorer.vision.detection.detections import Detections
    from explorer.vision.pipelines.rcnn import RCNN

EXPLANATION = r"""
Five detection pipelines in historical order. All of them run here, on the same photo and with
networks on one classifier, and every stage is timed.

- **R-CNN** crops every proposal from the photo, warps it to a square, and runs the network on each
  crop. A linear SVM per class scores the features; a regressor refines the box.
- **SPP-net** runs the network once. Every proposal is pooled from the last *feature map* into $1
  \times 1$ and $2 \times 2$ bins; SVMs score them.
- **Fast R-CNN** pools its proposals from the feature map too (RoI pooling); a head trained end to
  end replaces the SVMs and regressors.
- **Faster R-CNN** computes its proposals from the same feature map (RPN) instead of a search in the
  photo.
- A **single-stage** detector has no proposals: it predicts boxes and classes at every cell of the
  feature map.

**Reading it.** Drag *Proposals*: times and boxes follow without a new computation, because every
proposal is already scored. R-CNN is measured on the first proposals. Its time for $N$ of them is
**predicted** from a fixed time $T_0$ and the time per proposal $T_1$:

$$ T(N) = T_0 + N \, T_1 $$

Every other method runs once to warm up, then five times (three if it is slow); the median run
counts, and the table shows the spread of the runs. Meanwhile nothing else runs. F5 measures again.

Switch on *Run R-CNN on all proposals* to measure it; it can be stopped at any time and resumes from
there. The computed features are cached on disk, as in the paper, and read the next time; the
seconds shown are those of computing them.

The table compares your seconds with the papers', which were measured with VGG16 on GPUs of 2014 to
2016. The papers of the first three exclude the time for proposals; so does the column *here*. The
mAP is that of the papers, on VOC 2007.

**What differs from the papers.** All networks are small. R-CNN and SPP-net share the stages of the
ImageNet classifier EfficientNet-Lite0; only R-CNN's last convolution was fine-tuned on regions.
SPP-net has one scale, and its SVMs stand on the pooled values directly. They were trained on 400
photos: on 50 photos of Pascal VOC and 200 proposals each R-CNN reaches an AP50 of about 15% (14.6%
before fine-tuning), SPP-net of 21%. Fast and Faster R-CNN are the same trained network with
external proposals or those of its own RPN.

**Sources.** Girshick et al. 2014, *R-CNN*; He et al. 2014, *SPP-net*; Girshick 2015, *Fast R-CNN*;
Ren et al. 2015, *Faster R-CNN*; Redmon et al. 2016, *YOLO*; Liu et al. 2016, *SSD*; Lin et al.
2017, *RetinaNet*.
"""

RCNN_LANE, SPP, FAST, FASTER, SINGLE = LANES
FIRST = 2 * BATCH
"""Regions that R-CNN is always measured on, to predict the rest."""


def _two_stage(info: NetworkInfo | None) -> bool:
    return info is not None and has_proposals(info)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    count: int = param(
        300, "Proposals", "How many proposals are used. Nothing is computed again.",
        effect=Effect.DRAW, low=10, high=MOST, step=10, log=True,
    )  # fmt: skip
    run: bool = param(
        False, "Run R-CNN on all proposals",
        "Measures R-CNN on every proposal instead of extrapolating from the first ones. This can "
        "take long; Esc stops it.",
    )  # fmt: skip
    proposer: str = param(
        next(iter(METHODS)), "Proposal method",
        "The source of proposals for R-CNN, SPP-net and Fast R-CNN.",
        choices=tuple(METHODS),
    )  # fmt: skip
    score: float = param(
        0.3, "Min. score", "For Fast R-CNN, Faster R-CNN and the single-stage detector.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    margin: float = param(
        -0.5, "Min. SVM score",
        "For R-CNN and SPP-net: the signed distance from the SVM's decision boundary. Many "
        "correct boxes lie slightly below 0.",
        effect=Effect.DRAW, low=-1.0, high=2.0, step=0.05,
    )  # fmt: skip
    regions: bool = param(
        False, "Draw proposals", "Draws the proposals in thin blue lines.", effect=Effect.DRAW
    )
    labels: bool = param(True, "Labels", "Shows class and score at every box.", effect=Effect.DRAW)
    two_stage: NetworkRef = param(
        TWO_STAGE, "Two-stage detector",
        "Runs as Fast and as Faster R-CNN, because the chosen network is a single-stage detector.",
        tasks=frozenset({"detection"}), when=lambda _, info: not _two_stage(info),
    )  # fmt: skip
    single_stage: NetworkRef = param(
        SINGLE_STAGE, "Single-stage detector",
        "Runs as the single-stage detector, because the chosen network has two stages.",
        tasks=frozenset({"detection"}), when=lambda _, info: _two_stage(info),
    )  # fmt: skip
    cache: bool = param(
        True, "Cache features on disk",
        "R-CNN's features are stored on disk and reused.",
        advanced=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What is known so far.

    Attributes:
        photo: As a layer.
        proposals: (N, 4) float32 in the photo's pixels, the best first.
        search: Seconds that finding them took.
        lanes: By name, those that have run.
        titles: By lane, its network.
        classes: By lane, names by label.
        missing: By lane, why it cannot run.
        disk: About R-CNN's features on the disk.
    """

    photo: Picture
    proposals: Float32
    search: float = 0.0
    lanes: dict[str, Lane] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    disk: str = ""
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))

    def having(self, name: str, lane: Lane, title: str, classes: tuple[str, ...]) -> Result:
        """The same with one more lane."""
        return replace(
            self, lanes={**self.lanes, name: lane}, titles={**self.titles, name: title},
            classes={**self.classes, name: classes},
        )  # fmt: skip

    def lacking(self, name: str, why: str) -> Result:
        """The same without a lane, and the reason."""
        return replace(self, missing={**self.missing, name: why})


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    result = Result(photo_of(scene), np.zeros((0, 4), np.float32))
    own = shipped_rcnn(scene)
    pair, single = scene.network, scene.network
    if _two_stage(scene.network.info):
        single = scene.network_of(params.single_stage)
    else:
        pair = scene.network_of(params.two_stage)
    yield Step(result, 0, 0, "Computing proposals")
    pixels = scene.image.pixels
    found = scene.memo(
        ("race", params.proposer), lambda: propose(params.proposer, pixels, MOST, seed=scene.seed)
    )
    boxes = found.boxes
    result = replace(result, proposals=boxes, search=found.seconds)
    total = 5 + -(-len(boxes) // BATCH)

    def lane(name: str, network: Network, run: Callable[[Any], Lane], *, proposes: bool) -> Result:
        if network is not scene.network and network.info.untrained:
            return result.lacking(name, f"{network.info.title} has no trained weights here.")
        if two_stage(network) is not proposes:
            what = "a two-stage detector" if proposes else "a single-stage detector"
            return result.lacking(name, f"{network.info.title} is not {what}: choose one.")
        key: tuple[Any, ...] = ("race", name, network.info.spec)
        if name == FAST:
            key = (*key, params.proposer)
        ran = scene.memo(key, lambda: run(network))
        return result.having(name, ran, network.info.title, network.info.classes)

    result = lane(FASTER, pair, lambda n: faster_rcnn(n, pixels), proposes=True)
    yield Step(result, 1, total, "Single-stage")
    result = lane(SINGLE, single, lambda n: single_stage(n, pixels), proposes=False)
    yield Step(result, 2, total, "Fast R-CNN")
    result = lane(FAST, pair, lambda n: fast_rcnn(n, pixels, boxes), proposes=True)
    yield Step(result, 3, total, "SPP-net")
    if own is None:
        why = "Its SVMs are missing: `explorer train lite-rcnn --data DIR` trains them."
        yield Step(result.lacking(SPP, why).lacking(RCNN_LANE, why), total, total)
        return
    ran = scene.memo(("race", SPP, params.proposer), lambda: spp_net(own, pixels, boxes))
    result = result.having(SPP, ran, OWN_TITLE, ("background", *own.classes))
    yield Step(result, 4, total, "R-CNN")
    yield from _rcnn(scene, params, own, result, total)


OWN_TITLE = "EfficientNet-Lite0 and SVMs"


def _rcnn(
    scene: Scene, params: Params, own: RCNN, result: Result, total: int
) -> Generator[Step[Result], Any, None]:
    """R-CNN's lane batch by batch; what was computed before is not computed again."""
    pixels, boxes = scene.image.pixels, result.proposals
    regions = scene.memo(("race", RCNN_LANE, params.proposer), lambda: WarpedRegions(boxes))
    cache = FeatureCache()
    entry = cache.entry(scene.image.key, own.body, own.side, boxes)
    disk = ""
    if params.cache and not regions.complete and (read := cache.read(entry, boxes)) is not None:
        regions.seconds, regions.parts = read.seconds, read.parts

    def now(step: int, note: str = "") -> Step[Result]:
        found = rcnn_lane(own, regions, pixels.shape[:2])
        more = result.having(RCNN_LANE, found, OWN_TITLE, ("background", *own.classes))
        return Step(replace(more, disk=disk), step, total, note)

    wanted = len(boxes) if params.run else min(FIRST, len(boxes))
    while regions.done < wanted or not regions.parts:
        regions.go_on(own, pixels)
        if regions.done < wanted:
            note = f"R-CNN: {regions.done} of {wanted} proposals"
            yield now(min(4 + regions.done // BATCH, total - 1), note)
    if params.cache and regions.complete:
        try:
            kept = entry.complete or cache.write(entry, regions)
        except ExplorerError as error:
            kept, disk = False, f"R-CNN's features cannot be cached: {error.message}"
        if kept:
            size = entry.size
            disk = f"R-CNN's features of {regions.done} proposals: {size / 1e6:.1f} MB on disk"
    yield now(total)


def draw(result: Result, params: Params) -> Board:
    count, lanes, search = params.count, result.lanes, result.search
    curves = ("curves", *((name, lane.done) for name, lane in lanes.items()))
    return Board(
        panes=tuple(_pane(result, params, name) for name in LANES),
        plots=(
            total_bars(lanes, count, search),
            stage_bars(lanes, count, search),
            replace(
                result.cache.get(curves, lambda: over_proposals(lanes, search)), marker=float(count)
            ),
        )
        if lanes
        else (),
        tables=(
            stage_table(lanes, count, search, _counts(result, params), result.titles),
            paper_table(lanes, count),
        )
        if lanes
        else (),
        summary=_summary(result, count),
        notes=tuple(dict.fromkeys(f"{name}: {why}" for name, why in result.missing.items())),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """What every pipeline found with this many proposals (seconds are in the tables).

    Keys: `proposals` (N, 4) float32, and for every lane that ran, under its name in lower case with
    underscores: `…_boxes` (M, 4) float32 in the photo's pixels, `…_labels` (M,), `…_scores` (M,),
    `…_classes` the names by label, `…_proposals` how many it used.
    """
    answer: dict[str, Any] = {"proposals": result.proposals[: params.count]}
    for name, lane in result.lanes.items():
        found = _found(result, params, name)
        word = name.lower().replace("-", "_").replace(" ", "_")
        answer |= {
            f"{word}_boxes": found.xyxy,
            f"{word}_labels": found.labels,
            f"{word}_scores": found.scores,
            f"{word}_classes": result.classes[name],
            f"{word}_proposals": min(lane.done, params.count),
        }
    return answer


def _found(result: Result, params: Params, name: str) -> Detections:
    """What a lane found with `params.count` proposals and the score it is asked for."""
    lane = result.lanes[name]
    if lane.candidates is None:
        assert lane.found is not None
        return first(lane.found, params.score)
    floor = params.margin if name in (RCNN_LANE, SPP) else params.score
    candidates = lane.candidates
    return result.cache.get(
        (name, lane.done, params.count, floor), lambda: candidates.detections(params.count, floor)
    )


def _counts(result: Result, params: Params) -> dict[str, int]:
    return {name: len(_found(result, params, name)) for name in result.lanes}


def _pane(result: Result, params: Params, name: str) -> Pane:
    layers: list[Layer] = [result.photo]
    size = size_of(result.photo)
    lane = result.lanes.get(name)
    if lane is None:
        state = "cannot run" if name in result.missing else "not yet"
        return Pane(name, size, tuple(layers), title=f"{name}: {state}")
    if params.regions and lane.candidates is not None:
        shown = result.proposals[: min(params.count, lane.done)]
        layers.append(
            Boxes(shown, same(BLUE, len(shown)), width=0.7, selectable=False, name="proposals")
        )
    found = _found(result, params, name)
    classes = result.classes[name]
    alike = [n for n in result.lanes if result.classes.get(n) == classes]  # one color in all panes
    beside = np.concatenate([_found(result, params, n).labels for n in alike])
    colors = label_colors(found.labels, beside.tolist())
    words = tuple(
        f"{class_name(classes, int(label))} {score:.2f}"
        for label, score in zip(found.labels, found.scores, strict=True)
    )
    layers.append(
        Boxes(found.xyxy, colors, words if params.labels else (), selectable=False, name=name)
    )
    part = ""
    if lane.candidates is not None and lane.done < min(params.count, len(result.proposals)):
        part = f" of the first {quantity(lane.done, 'proposal')}"
    title = f"{name}: {len(found)} {'box' if len(found) == 1 else 'boxes'}{part}"
    return Pane(name, size, tuple(layers), title=title)


def _summary(result: Result, count: int) -> str:
    if not result.lanes:
        return "Nothing is measured yet."
    words = []
    for name in LANES:
        if name in result.lanes:
            lane = result.lanes[name]
            search = result.search if lane.candidates is not None else 0.0
            guess = "about " if lane.candidates is not None and lane.done < count else ""
            words.append(f"{name} {guess}{seconds_words(lane.seconds(count) + search)}")
    found = (
        f"{quantity(count, 'proposal')} (search {seconds_words(result.search)}): "
        f"{' · '.join(words)}"
    )
    return f"{found} · {result.disk}" if result.disk else found


VIEW = View(
    name="pipeline_race",
    title="Detection pipelines",
    group=Group.DETECTION,
    summary="R-CNN, SPP-net, Fast R-CNN, Faster R-CNN and a single-stage detector timed on your "
    "photo.",
    explanation=EXPLANATION,
    reference="Girshick et al. 2014, R-CNN; Girshick 2015, Fast R-CNN; Ren et al. 2015",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
    live=False,
    uses=(BODY,),
)
