"""Sliders along the principal components of aligned pictures, and a search among them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, FolderRef, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import class_name, percent, photo_of
from explorer.views.synthesis.semantic_sliders import panes
from explorer.views.synthesis.semantic_sliders.aging import AgeSearch, face_region
from explorer.views.synthesis.semantic_sliders.panes import Result, Walk
from explorer.views.synthesis.semantic_sliders.source import (
    Source,
    opened,
    source_key,
)
from explorer.vision.features.classification import class_scores
from explorer.vision.features.classifier import Classifier
from explorer.vision.latent import pca
from explorer.vision.latent.pictures import region
from explorer.vision.latent.search import Decoder, Search, log_odds

if TYPE_CHECKING:
    from collections.abc import Generator

    from torch import Tensor

    from explorer.core.layers import Float32
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
A picture of $d$ numbers is a point in a space of $d$ dimensions. Pictures of one kind that are
*aligned*, such as faces with the eyes at the same places, lie near a plane of few dimensions
through their mean $\mu$. **Principal component analysis** finds its axes: $v_1$ is the direction of
the largest variance $\sigma_1^2$, $v_2$ that of the largest variance across it, and so on. Of faces
they are called eigenfaces. Coefficients $p$ in standard deviations stand for the picture

$$ \mathrm{PCA}(p) = \mu + \sum_{i=1}^{k} p_i \, \sigma_i \, v_i $$

and the coefficients of a picture $x$ are

$$ p_i = \frac{(x - \mu) \cdot v_i}{\sigma_i} $$

**Sliders.** Each one adds to a coefficient, in standard deviations. The first components are often
the light, its direction, bright or dark clothes before the background, the hair: nobody has named
them, they only vary most. Beside the large picture are the region of the photo and its
reconstruction from the first *components*. Drag a box on the photo to choose the region: a person
on their feet with some room around, or a face on which the eyes are where they are in the folder's
pictures. Anything else is reconstructed as one as far as that goes.

**Explained variance.** The fraction of the variance along component $i$ is
$\sigma_i^2 / \sum_j \sigma_j^2$. Drag the marker to change the number of components.

**Search.** Gradient descent changes the coefficients so that an output of the network comes close
to a target $t$:

$$ \min_p \; ( \mathrm{NN}(\mathrm{PCA}(p)) - t )^2 + \lambda \, \frac{\| p \|^2}{k} $$

For a class $c$ the output is the log odds of its probability, which have a gradient however
improbable the class is, and the target those of 99%:

$$ \mathrm{NN} = \log \frac{p_c}{1 - p_c} \qquad t = \log \frac{0.99}{0.01} $$

Only the coefficients change, so every picture on the path is one of the basis. Without that limit
the same search ends in noise (see *fooling pictures*). With a network of one output its target is a
number. *Keep details* adds to each picture what the photo has beyond its components.

**Aging a face.** With a basis of faces the largest face of the photo is found and aligned, and the
search can aim at an *age*. `mini-face-age` reads age $a$, gender $g$ (log odds) and five points $q$
from each picture, and what is not the age is held where it was, with the weight $\mu$ of *Hold*:

$$ \begin{aligned} \min_p \; & \left( \tfrac{a - t}{10} \right)^2 + \lambda \tfrac{\|p\|^2}{k} \\
& + \mu \left( (g - g_0)^2 + \tfrac{\|q - q_0\|^2}{5 \cdot 0.02^2} \right) \end{aligned} $$

Beside it are the pictures on the straight line along which the coefficients of adults change on
average in a year (a regression): that is what faces of that age have in common in the data, light
and dress included, and nothing is held. Both only show what the basis and a small network associate
with an age. They do not show how somebody will look.

**The pictures** are those of the chosen folder, the first 1,000 of them, reduced to the picture
size. Without a folder, the basis is the one that ships with the program: 1,600 upright people of
INRIA Person, 40 x 72 pixels. `explorer train picture-basis` fits one to any number of pictures; a
folder with its file is used like a folder of pictures. `explorer train face-components` makes one
of UTKFace's faces. It does not ship: they are photos of people, offered for research only.

**Sources.** Sirovich and Kirby 1987, *Low-dimensional Procedure for the Characterization of Human
Faces*; Turk and Pentland 1991, *Eigenfaces for Recognition*; Kingma and Ba 2015, *Adam* (the
descent); Dalal and Triggs 2005, *Histograms of Oriented Gradients for Human Detection* (INRIA
Person).
"""

PHOTO, MEAN = "the photo", "the mean picture"
PHOTOS = "the photo's top class"
SLIDERS = 8
LIMIT = 3.0
"""Deviations that the search never leaves."""
CERTAIN = math.log(0.99 / 0.01)
"""Log odds of a class that the search aims at: a probability of 99%."""


def _classes(info: NetworkInfo) -> tuple[str, ...]:
    return (PHOTOS, *dict.fromkeys(info.classes))


def _single(info: NetworkInfo | None) -> bool:
    """Whether the network has one output, and so regresses a number."""
    return info is not None and (len(info.classes) or info.unnamed) == 1


OUTPUT, AGE = "the network's output", "an age"


def _by_output(params: Params) -> bool:
    return params.search and params.aim == OUTPUT


def _by_age(params: Params) -> bool:
    return params.search and params.aim == AGE


def _slider(number: int) -> float:
    return param(
        0.0, f"Component {number}", f"Added to coefficient {number}, in standard deviations.",
        effect=Effect.DRAW, low=-4.0, high=4.0, step=0.1, play=number == 1, section="Sliders",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    folder: FolderRef | None = param(
        None, "Aligned pictures",
        "A folder of pictures of one kind, aligned, such as faces with the eyes at the same "
        "places. Those of another size than the first are resized. Empty: the upright people that "
        "ship with the program.",
    )  # fmt: skip
    box: Box | None = param(
        None, "Region",
        "The part of the photo that is projected: drag a box. By default the largest one in the "
        "middle.",
        pick=Pick.DRAG,
    )  # fmt: skip
    start: str = param(
        PHOTO, "Start from", "The coefficients of the photo's region, or zero: the mean picture.",
        choices=(PHOTO, MEAN),
    )  # fmt: skip
    details: bool = param(
        False, "Keep details",
        "Adds what the region has beyond its components to the changed picture.",
        when=lambda params, _: params.start == PHOTO,
    )  # fmt: skip
    components: int = param(
        24, "Components", "This many are used: for the reconstruction, the sliders and the search.",
        low=1, high=pca.MOST_COMPONENTS, play=True,
    )  # fmt: skip
    c1: float = _slider(1)
    c2: float = _slider(2)
    c3: float = _slider(3)
    c4: float = _slider(4)
    c5: float = _slider(5)
    c6: float = _slider(6)
    c7: float = _slider(7)
    c8: float = _slider(8)
    search: bool = param(
        False, "Search",
        "Changes the coefficients by gradient descent until the network outputs the target.",
        section="Search",
    )  # fmt: skip
    aim: str = param(
        OUTPUT, "Aim", "What the search changes: the output of the network, or the age that "
        "mini-face-age reads; that needs a basis of faces as the folder.",
        choices=(OUTPUT, AGE), section="Search", when=lambda params, _: params.search,
    )  # fmt: skip
    years: float = param(
        70.0, "Target age", "The age that should be read.", low=0.0, high=100.0, step=1.0,
        unit="years", section="Search", when=lambda params, _: _by_age(params),
    )  # fmt: skip
    hold: float = param(
        1.0, "Hold", "Weight of gender and points, which should stay as they are.",
        low=0.0, high=10.0, step=0.1, section="Search", when=lambda params, _: _by_age(params),
    )  # fmt: skip
    of: str = param(
        PHOTOS, "Target class", "The class whose probability should become 99%.",
        choices=_classes, section="Search",
        when=lambda params, info: _by_output(params) and not _single(info),
    )  # fmt: skip
    value: float = param(
        0.0, "Target value", "What the network should output.",
        low=-1000.0, high=1000.0, step=1.0, section="Search",
        when=lambda params, info: _by_output(params) and _single(info),
    )  # fmt: skip
    steps: int = param(
        80, "Steps", "Steps of gradient descent.", low=1, high=1000, log=True, section="Search",
        when=lambda params, _: params.search,
    )  # fmt: skip
    rate: float = param(
        0.1, "Step size", "Change of a coefficient in one step, in standard deviations.",
        low=0.005, high=1.0, log=True, section="Search", advanced=True,
        when=lambda params, _: params.search,
    )  # fmt: skip
    decay: float = param(
        0.3, "Decay", "Weight of the second term, which pulls the coefficients toward zero.",
        low=0.0, high=20.0, step=0.1, section="Search", advanced=True,
        when=lambda params, _: params.search,
    )  # fmt: skip
    side: int = param(
        64, "Picture size", "Longer side of the pictures of the folder, to which they are reduced.",
        low=8, high=128, unit="px", advanced=True, when=lambda params, _: params.folder is not None,
    )  # fmt: skip

    @property
    def sliders(self) -> Float32:
        """(8,) in standard deviations."""
        return np.array([getattr(self, f"c{i + 1}") for i in range(SLIDERS)], np.float32)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    source = yield from _source(scene, params)
    result = _projected(scene, params, source)
    if not params.search:
        yield Step(result)
        return
    yield Step(result, 0, params.steps, "the search begins")
    if params.aim == AGE:
        aging = AgeSearch(params, result)
        for step in range(params.steps + 1):
            walk, read = aging.advance()
            note = f"step {step} of {params.steps}"
            yield Step(replace(result, walk=walk, aging=read), step, params.steps, note)
        return
    search = _Search(scene, params, result)
    for step in range(params.steps + 1):
        walk = search.advance()
        note = f"step {step} of {params.steps}"
        yield Step(replace(result, walk=walk), step, params.steps, note)


def _source(scene: Scene, params: Params) -> Generator[Step[Result], Any, Source]:
    """The basis, which the network keeps for the next photo; reading shows its progress."""
    known: dict[str, Source] = scene.network.memo(source_key(params.folder, params.side), dict)
    if "source" not in known:
        reading = opened(params.folder, params.side)
        while True:
            try:
                done, total = next(reading)
            except StopIteration as end:
                known["source"] = end.value
                break
            note = f"{done:,} of {total:,} pictures read"
            yield Step(Result(photo_of(scene), note), done, total, note)
    return known["source"]


def _projected(scene: Scene, params: Params, source: Source) -> Result:
    basis, box = source.basis, params.box
    corners = None
    if box is not None and box.x0 < box.x1 and box.y0 < box.y1:
        corners = (box.x0, box.y0, box.x1, box.y1)
    if source.axes is not None and corners is None:
        part, place, notes = face_region(scene.image.pixels, source.axes, basis.shape)
        source = replace(source, notes=(*source.notes, *notes))
    else:
        part, place = region(scene.image.pixels, corners, basis.shape)
    projected = basis.coefficients(part)
    start, detail = projected[: params.components], np.zeros_like(part)
    if params.start == MEAN:
        start = np.zeros_like(start)
    elif params.details:
        detail = part - basis.picture(start)
    return Result(
        photo_of(scene), "", source, part, place, projected, start, detail
    )  # fmt: skip


class _Search:
    """The search of one question; lives on the runner's thread."""

    def __init__(self, scene: Scene, params: Params, result: Result) -> None:
        assert result.source is not None
        network = scene.network
        self._classifier = Classifier.of(network)
        shares = class_scores(scene.output())[0]
        self._name, self._label, self._target = "", 0, params.value
        if len(shares) > 1:
            classes = network.info.classes
            known = params.of != PHOTOS and params.of in classes
            self._label = classes.index(params.of) if known else int(shares.argmax())
            self._name, self._target = class_name(classes, self._label), CERTAIN
        height, width = scene.input().shape[-2:]
        decoder = Decoder.of(
            result.source.basis, len(result.start), result.detail, (height, width),
            network.preprocess.channels, network.device,
        )  # fmt: skip
        self._search = Search(
            decoder, self._output, self._target, torch.from_numpy(result.start).to(network.device),
            rate=params.rate, decay=params.decay, limit=LIMIT,
        )  # fmt: skip
        self._coefficients: list[Float32] = []
        self._outputs: list[float] = []

    def _output(self, picture: Tensor) -> Tensor:
        scores = self._classifier(picture)[0]
        return log_odds(scores, self._label) if self._name else scores[0]

    def advance(self) -> Walk:
        """What the network outputs for the coefficients, and then a step."""
        self._coefficients.append(self._search.coefficients)
        self._outputs.append(self._search.advance())
        return Walk(np.stack(self._coefficients), np.array(self._outputs), self._name, self._target)


def draw(result: Result, params: Params) -> Board:
    if result.source is None:
        return Board(panes=(panes.image(result),), summary=result.note)
    basis, walk, count = result.source.basis, result.walk, len(result.start)
    sliders = params.sliders[:count]
    kept = float(basis.ratios[:count].sum())
    words = [
        f"{result.source.title}: {count} of {quantity(len(basis), 'component')} explain "
        f"{percent(kept)} of the variance",
        f"RMS error of the photo's region {panes.error_of(result, basis):.1f} of 255",
    ]
    shown = [
        panes.image(result),
        panes.pictures(result, basis, sliders),
        panes.components(result, basis, min(SLIDERS, count)),
    ]
    plots = [panes.variance(basis, count)]
    if walk is not None:
        shown.append(panes.path(result, basis, walk))
        if result.aging is not None:
            shown.append(panes.slide(result, basis, result.aging))
            plots = [*panes.aging_plots(walk, result.aging), *plots]
        else:
            plots += panes.search_plots(walk)
        of = walk.name or ("the age" if result.aging is not None else "the output")
        words.append(f"search: {walk.words(0)} to {walk.words(-1)} for {of}")
    return Board(
        panes=tuple(shown),
        plots=tuple(plots),
        tables=(panes.table(result, basis, sliders.tolist()),),
        summary=" · ".join(words),
        notes=result.source.notes,
        idle=tuple(f"c{i + 1}" for i in range(count, SLIDERS)),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The basis, the photo's place in it, and the path of the search.

    Keys: `mean` (H, W, C), `components` (k, H, W, C), `deviations` (k,) and `explained` (k,)
    float32; `region` (H, W, C) and `coefficients` (k,) of the photo, in standard deviations;
    `picture` (H, W, C), changed by the sliders, not clipped; of a search `path` (s, j) and `output`
    (s,): the log odds of the class, or the number that the network outputs. Of an age `woman` (s,)
    and `points` (s, 5, 2) that are read beside it, and `slope_path` (n, j), `slope_age` (n,).
    """
    if result.source is None:
        return {}
    basis = result.source.basis
    changed = panes.changed(result, params.sliders[: len(result.start)])
    found: dict[str, Any] = {
        "mean": basis.mean.reshape(basis.shape),
        "components": basis.components.reshape(-1, *basis.shape),
        "deviations": basis.deviations,
        "explained": basis.ratios,
        "region": result.part,
        "coefficients": result.projected,
        "picture": basis.picture(changed) + result.detail,
    }
    if result.walk is not None:
        found["path"] = result.walk.coefficients
        found["output"] = result.walk.outputs
    if result.aging is not None:
        found["woman"], found["points"] = result.aging.read.woman, result.aging.read.points
        found["slope_path"], found["slope_age"] = result.aging.slid, result.aging.slid_read.age
    return found


VIEW = View(
    name="semantic_sliders",
    title="Semantic sliders",
    group=Group.SYNTHESIS,
    summary="Pictures changed along their principal components, by sliders or toward a class.",
    explanation=EXPLANATION,
    reference="Turk and Pentland 1991, Eigenfaces for Recognition",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification", "localization"}),
    best="classification",
    data=data,
    live=False,
    film=True,
)
