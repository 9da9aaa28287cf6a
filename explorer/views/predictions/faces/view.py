"""Faces: found by a cascade, aligned, embedded, and compared with those of other photos."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Picture
from explorer.core.listing import quantity
from explorer.core.params import Effect, FolderRef, ImageRef, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.views.predictions.faces import comparing, finding
from explorer.views.predictions.faces.reader import card, missing_network, reader
from explorer.views.predictions.faces.result import Other, Result
from explorer.views.shared.common import photo_of
from explorer.vision.faces import cascade as stages
from explorer.vision.faces.comparison import distances

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.views.predictions.faces.reader import Reader
    from explorer.vision.faces.cascade import Level

EXPLANATION = r"""
Four steps lead from a photo to the answer whether two faces are one person's: **find, align, embed,
compare**.

**Find.** Three networks reject ever more of ever fewer boxes (MTCNN). *P-Net* scores windows of
12 x 12 pixels. It has no fully connected layer, so one pass over the whole picture gives the scores
of all windows, two pixels apart: what neighboring windows share is computed once. The table has the
highest score of each map beside that of the same window cut out and put through P-Net alone. Both
are equal; the last column says how many times as many multiplications all windows by themselves
would take. Larger faces are found in smaller pictures: a level of the **pyramid** has half of the
area of the one before. At scale $s$ a window is $12 / s$ pixels of the photo.

Windows above the threshold are moved by P-Net's four offsets and go through **NMS**, within each
level and among all. *R-Net* scores each box again, as a square of 24 x 24 pixels: red ones are
rejected, dotted ones become the green ones. *O-Net* does so with 48 x 48 pixels and outputs **five
points**: eyes, nose, corners of the mouth.

**Align.** A similarity transform brings the points as close as possible to fixed positions:

$$ \min_{s, R, t} \; \sum_{i=1}^{5} \| s R x_i + t - y_i \|^2 $$

What was tilted is upright then, and the eyes of all faces are at the same places (white squares):
the network that compares them does not have to be trained on every pose.

**Embed.** A residual network turns the aligned face, in gray, into a unit vector $f$ of 128
numbers. It was trained to tell 1,400 people apart. The vectors of other people's faces lie close
together, too, if they are one person's.

**Compare.** The distance of two faces is

$$ d = 1 - f_1 \cdot f_2 $$

Up to a **threshold** they count as one person. Both kinds of error depend on it: the curves are the
rates of accepted pairs (an **ROC** curve, drawn over the threshold) on pairs of people that the
network was not trained on. Drag the marker. Choose a *second photo*, or a *folder*: its nearest
faces are listed, and clusters of persons formed (average linkage up to the threshold). In a folder
with a subfolder for each person the curves of your own people are drawn as well.

**What it cannot do.** The network is small, and the people of its training photos were in the news
from 2002 to 2004, three quarters of them men. About one pair in eight is classified wrongly, and
more of children, of people unlike those, and of two people of one age and type. It must never
decide about anybody. Faces below the smallest size, in profile, upside down or half covered are
often not found. Everything is computed on this machine; nothing about a face is written to the disk
unless you export it.

**Sources.** Zhang, Zhang, Li and Qiao 2016, *Joint Face Detection and Alignment using Multi-task
Cascaded Convolutional Networks* (weights: the package `mtcnn`, MIT); Umeyama 1991, *Least-Squares
Estimation of Transformation Parameters*; Taigman et al. 2014, *DeepFace*; Deng et al. 2019,
*ArcFace*; Wang et al. 2018, *CosFace*.
"""

FIND, ALIGN, COMPARE = "find", "align", "compare"
THRESHOLD = 0.79
"""Distance, where there is no card to name one."""


def _suggested(_info: NetworkInfo | None) -> float:
    """The distance that is best on the network's held-out pairs."""
    cosine = card().get("metrics", {}).get("threshold")
    return THRESHOLD if cosine is None else round(1 - float(cosine), 3)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(
        FIND, "Show", "The stages that find faces, what aligning changes, or the comparison.",
        effect=Effect.DRAW, choices=(FIND, ALIGN, COMPARE),
    )  # fmt: skip
    face: int | None = param(
        None, "Face", "The face that is aligned and compared: click it. By default the largest.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="faces", low=0, high=2**31 - 1, kept=False,
    )  # fmt: skip
    smallest: float = param(
        40.0, "Smallest face", "Smaller faces are not found; a smaller limit takes longer.",
        low=12.0, high=600.0, log=True, unit="px",
    )  # fmt: skip
    other: ImageRef | None = param(
        None, "Second photo", "Its faces are compared with the chosen one.", section="Comparison",
    )  # fmt: skip
    folder: FolderRef | None = param(
        None, "Folder",
        "The faces of its photos, those of subfolders too, are compared with the chosen one. "
        "A subfolder for each person names them.",
        section="Comparison",
    )  # fmt: skip
    threshold: float | None = param(
        None, "Threshold",
        "Two faces up to this distance are counted as one person. Default: the best one on the "
        "network's held-out pairs.",
        effect=Effect.DRAW, low=0.0, high=2.0, step=0.01, suggested=_suggested,
        section="Comparison",
    )  # fmt: skip
    opacity: float = param(
        0.6, "Opacity", "Opacity of P-Net's scores over the pyramid.",
        effect=Effect.DRAW, low=0.0, high=1.0, advanced=True,
    )  # fmt: skip
    proposed: float = param(
        0.6, "P-Net: score >=", "Windows with a lower score are rejected.",
        low=0.05, high=0.99, step=0.01, section="Cascade", advanced=True,
    )  # fmt: skip
    refined: float = param(
        0.7, "R-Net: score >=", "Regions with a lower score are rejected.",
        low=0.05, high=0.99, step=0.01, section="Cascade", advanced=True,
    )  # fmt: skip
    final: float = param(
        0.7, "O-Net: score >=", "Faces with a lower score are rejected.",
        low=0.05, high=0.99, step=0.01, section="Cascade", advanced=True,
    )  # fmt: skip

    def settings(self) -> stages.Settings:
        return stages.Settings(self.smallest, self.proposed, self.refined, self.final)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    own, settings = reader(), params.settings()
    result = _begun(scene, own)
    pixels, live = scene.image.pixels, scene.moment is not None
    height, width = pixels.shape[:2]
    scales = stages.scales(height, width, settings.smallest)
    total = len(scales) + 3
    for done, scale in enumerate(scales, 1):
        level = stages.level(own.cascade, pixels, scale, settings.proposed)
        alone = () if live else (_alone(own, level),)
        result = replace(
            result, levels=(*result.levels, level), alone=(*result.alone, *alone),
            note=f"P-Net at scale {scale:.2g}",
        )  # fmt: skip
        if not live:
            yield Step(result, done, total, result.note)
    proposals, _ = stages.merged(list(result.levels))
    result = replace(result, proposals=proposals, note="NMS")
    if not live:
        yield Step(result, total - 2, total, result.note)
    middle = stages.refined(own.cascade, pixels, proposals, settings.refined)
    result = replace(result, refined=middle, note="R-Net")
    if not live:
        yield Step(result, total - 1, total, result.note)
    last = stages.finished(own.cascade, pixels, middle.boxes[middle.kept], settings.final)
    read = own.read(pixels, stages.faces_of(last))
    result = replace(result, finished=last, read=read, note="")
    result = _with_other(scene, params, own, result)
    if params.folder is None:
        yield Step(result, total, total)
        return
    reading = own.gallery(params.folder, settings)
    while True:
        try:
            done, count = next(reading)
        except StopIteration as end:
            yield Step(replace(result, gallery=end.value), 1, 1)
            return
        note = f"{done:,} of {count:,} photos of the folder"
        yield Step(replace(result, note=note), done, count, note)


def _begun(scene: Scene, own: Reader) -> Result:
    known = card().get("metrics", {}).get("roc", ())
    curve = np.array([(1 - cosine, false, true) for cosine, false, true in known]).reshape(-1, 3)
    notes = () if own.network is not None else (str(missing_network()),)
    return Result(photo_of(scene), "", threshold=_suggested(None), roc=curve, notes=notes)


def _alone(own: Reader, level: Level) -> float:
    """The score of the level's highest-scoring window, cut out."""
    row, column = np.unravel_index(int(level.scores.argmax()), level.scores.shape)
    return stages.window_score(own.cascade, level, int(row), int(column))


def _with_other(scene: Scene, params: Params, own: Reader, result: Result) -> Result:
    if params.other is None:
        return result
    image = scene.image_of(params.other)
    key = ("faces of another photo", params.other, params.settings())
    other = scene.memo(
        key,
        lambda: Other(
            Picture(image.pixels, name="other photo"),
            own.read(
                image.pixels, stages.found_faces(own.cascade, image.pixels, params.settings())
            ),
        ),
    )
    return replace(result, other=other)


def draw(result: Result, params: Params) -> Board:
    chosen = result.chosen(params.face)
    image = finding.image_pane(result, chosen)
    if params.show == FIND or result.read is None:
        return _finding(result, params, chosen)
    summary, tables = _summary(result), [finding.faces_table(result)]
    if chosen is None:
        notes = (*result.notes, "No face was found: try a smaller limit for the smallest face.")
        return Board((image,), summary=summary, notes=notes)
    read = result.read
    compares = read.vectors.shape[1] > 0
    if params.show == ALIGN or not compares:
        shown = [comparing.alignment_pane(result, read, chosen), image]
        if compares:
            shown.append(comparing.embedding_pane(read.vectors, chosen))
        return Board(tuple(shown), tables=tuple(tables), summary=summary, notes=result.notes)
    return _comparing(result, params, chosen)


def _finding(result: Result, params: Params, chosen: int | None) -> Board:
    shown = [finding.image_pane(result, chosen)]
    tables = []
    if result.levels:
        shown.append(finding.pyramid_pane(result, params.opacity))
        shown.append(finding.proposals_pane(result))
        tables += [finding.levels_table(result), finding.stages_table(result)]
    if result.refined is not None:
        shown.append(finding.refined_pane(result, result.refined))
    if result.read is not None and len(result.read.faces):
        tables.insert(0, finding.faces_table(result))
    return Board(tuple(shown), tables=tuple(tables), summary=_summary(result))


def _comparing(result: Result, params: Params, chosen: int) -> Board:
    read = result.read
    assert read is not None
    limit = result.threshold if params.threshold is None else params.threshold
    shown = [finding.image_pane(result, chosen)]
    tables = [finding.faces_table(result)]
    notes = list(result.notes)
    words = [_summary(result)]
    if result.other is not None:
        apart = distances(read.vectors[chosen : chosen + 1], result.other.read.vectors)[0]
        shown.append(comparing.pair_pane(read, chosen, result.other, apart, limit))
        shown.append(comparing.other_pane(result.other, apart, limit))
    plots = []
    if result.gallery is not None:
        gallery = result.gallery
        notes += gallery.notes
        words.append(f"{quantity(len(gallery.names), 'face')} in {gallery.source}")
        if gallery.without:
            words.append(f"{quantity(gallery.without, 'photo')} without a face")
        if len(gallery.names):
            apart = distances(read.vectors[chosen : chosen + 1], gallery.vectors)[0]
            labels = comparing.clusters_of(gallery, limit)
            shown.append(comparing.nearest_pane(read, chosen, gallery, apart, limit))
            shown.append(comparing.persons_pane(gallery, labels))
            tables.insert(0, comparing.nearest_table(gallery, apart, limit))
        if len(gallery.names) > 1:
            plots.append(comparing.histogram(gallery, limit))
    elif result.other is None:
        if len(read.faces) > 1:
            shown.append(comparing.matrix_pane(read, limit))
        else:
            shown.append(comparing.embedding_pane(read.vectors, chosen))
        if params.folder is None:
            notes.append("Choose a second photo or a folder to compare the face with.")
    rates = comparing.roc_plot(result, limit)
    if rates is not None:
        plots.insert(0, rates)
    means = comparing.rates_at(result.roc, limit)
    words.append(f"threshold {limit:.2f}" + (f" {means}" if means else ""))
    return Board(
        tuple(shown), plots=tuple(plots), tables=tuple(tables), summary=" · ".join(words),
        notes=tuple(notes),
    )  # fmt: skip


def _summary(result: Result) -> str:
    if result.read is None:
        return result.note or "Looking for faces"
    cells = sum(level.scores.size for level in result.levels)
    proposals = 0 if result.proposals is None else len(result.proposals)
    kept = 0 if result.refined is None else len(result.refined.kept)
    words = f"{quantity(len(result.read.faces), 'face')} of {quantity(cells, 'window')}"
    words += f" (P-Net {proposals:,}, R-Net {kept:,})"
    return f"{words} · {result.note}" if result.note else words


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `boxes` (n, 4) float32 xyxy, `scores` (n,) and `points` (n, 5, 2) in the photo,
    `aligned` (n, 64, 64, 3) uint8, `embeddings` (n, 128) float32; with a second photo
    `other_boxes` and `distances` (n, m), with a folder `folder_distances` (n, k), `folder_photos`
    and `folder_clusters` (k,).
    """  # noqa: D205
    if result.read is None:
        return {}
    read = result.read
    found: dict[str, Any] = {
        "boxes": read.faces.boxes,
        "scores": read.faces.scores,
        "points": read.faces.points,
        "aligned": read.aligned,
        "embeddings": read.vectors,
    }
    if result.other is not None:
        found["other_boxes"] = result.other.read.faces.boxes
        found["distances"] = distances(read.vectors, result.other.read.vectors)
    if result.gallery is not None:
        limit = result.threshold if params.threshold is None else params.threshold
        labels: NDArray[np.intp] = comparing.clusters_of(result.gallery, limit)
        found["folder_distances"] = distances(read.vectors, result.gallery.vectors)
        found["folder_photos"] = list(result.gallery.names)
        found["folder_clusters"] = labels
    return found


VIEW = View(
    name="faces",
    title="Faces",
    group=Group.PREDICTIONS,
    summary="Faces found by a cascade of three networks, aligned by five points, and compared.",
    explanation=EXPLANATION,
    reference="Zhang, Zhang, Li and Qiao 2016, Joint Face Detection and Alignment using Multi-task "
    "Cascaded Convolutional Networks",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    film=True,
    needs=Needs.PHOTO,
)
