"""Fooling pictures: evolved or made by gradient ascent, meaningless, and highly probable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import class_name, percent
from explorer.views.synthesis.fooling import panes
from explorer.views.synthesis.fooling.panes import CLOSE, Climb, Elite, Result
from explorer.vision.evolution.ascent import Ascent
from explorer.vision.evolution.cppn import CppnEncoding
from explorer.vision.evolution.cppn import Genome as Cppn
from explorer.vision.evolution.direct import DirectEncoding
from explorer.vision.evolution.populations import Evolution, Fittest, MapElites
from explorer.vision.features.classification import class_scores
from explorer.vision.features.classifier import Classifier

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.vision.evolution.populations import Encoding, Individual, Population

EXPLANATION = r"""
A network gives high probabilities to pictures of its classes. The reverse does not hold: there are
pictures that show nothing at all and get a probability of 99%. Here they are **evolved**. The
gradient of the network is not used, only its output.

**A generation.** Every offspring is a mutated copy of a picture that was kept, and the network
computes its probability of every class, $p_c$. In *all classes* there is one elite per class
(MAP-Elites): an offspring $x$ replaces the elite $e_c$ of each class in which it scores higher:

$$ p_c(x) > p_c(e_c) \; \Rightarrow \; e_c \gets x $$

A picture that was kept for one class often turns out well for another one. Parents are drawn as
often as $p(1 - p)$ of their probability $p$ is high: those that can still gain. In *one class* the
pictures with the highest logit of that class are kept; by probability, a blank picture beats most
pictures of something else, and the evolution would end there.

**CPPN.** The genome is a small network that computes hue, saturation and value from the coordinates
of a pixel and its distance $r$ from the center,

$$ (h, s, v) = f(x, y, r) \qquad r^2 = x^2 + y^2 $$

with nodes that apply a sine, a Gaussian, a sigmoid or the identity. Weights, functions, nodes and
connections mutate. Its pictures are regular: stripes, circles, gradients.

**Direct encoding.** The genome is the picture itself, enlarged for the network. A mutation changes
10% of its numbers, half as many after every 1000 generations, by the amount

$$ \delta = \begin{cases} (2u)^{1/16} - 1 & u < 1/2 \\ 1 - (2 - 2u)^{1/16} & u \ge 1/2
\end{cases} $$

with $u$ uniform in 0 to 1 (polynomial mutation of strength 15). Its pictures look like noise.

**Gradient ascent** starts from gray with a little noise. With step size $\eta$ and L2 decay
$\lambda$, every step is

$$ \begin{aligned} d &= x - \tfrac{1}{2} \\
x &\gets \tfrac{1}{2} + (1 - \lambda) \, d + \eta \, \frac{g}{\mathrm{mean} \, |g|}
\end{aligned} $$

$$ g = \frac{\partial \log p_c}{\partial x} $$

It needs a few dozen steps where the evolution needs thousands of pictures.

**Reading it.** Click a picture in the grid, or its row in the table, to see it large with its five
most probable classes, beside the part of the photo that is the network's input and the picture of
the gradient ascent. The curves are over all elites; many of them rise long before the median does.
A softmax divides 100% among the classes that it knows, and none of them means *nothing*. A network
separates its classes in a space that is far larger than the part with photos in it, and most points
of that space are far from every border between classes.

The same seed and parameters give the same pictures. A picture is rounded to 8 bits before the
network computes its probabilities, so that a file of it has the same ones.

**Sources.** Nguyen, Yosinski and Clune 2015, *Deep Neural Networks are Easily Fooled*, sections 2.3
and 3; Mouret and Clune 2015, *Illuminating Search Spaces by Mapping Elites*; Stanley 2007,
*Compositional Pattern Producing Networks*; Deb and Goyal 1996, *A Combined Genetic Adaptive
Search*. The paper draws parents with equal probability, and may cross two CPPNs.
"""

ALL, ONE = "all classes", "one class"
CPPN, DIRECT = "CPPN", "direct"
PHOTOS = "the photo's top class"
MOST_SHOWN = 60
KEPT = 30
"""Pictures that survive a generation in one class."""
ASCENT_STEPS = 120
PIXELS = 402_000  # 8 pictures of 224 x 224
"""In the offspring of one generation, unless the user says how many there are."""
MOST_OFFSPRING = 48
"""The same, of small pictures."""


def _classes(info: NetworkInfo) -> tuple[str, ...]:
    return (PHOTOS, *dict.fromkeys(info.classes))


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    mode: str = param(
        ALL, "Evolve for",
        "One picture for every class of the network, or many for one class.",
        choices=(ALL, ONE),
    )  # fmt: skip
    of: str = param(
        PHOTOS, "Class",
        "The class of the gradient ascent, and of the evolution for one class.",
        choices=_classes,
        when=lambda params, _: params.gradient or params.mode == ONE,
    )  # fmt: skip
    encoding: str = param(
        CPPN, "Encoding",
        "What mutates: a small network that computes colors from coordinates (CPPN), or the pixels "
        "themselves.",
        choices=(CPPN, DIRECT),
    )  # fmt: skip
    side: int = param(
        32, "Pixels per side", "Size of the evolved picture before it is enlarged.",
        low=4, high=128, unit="px", when=lambda params, _: params.encoding == DIRECT,
    )  # fmt: skip
    generations: int = param(
        500, "Generations", "The evolution ends after this many; change it while it runs.",
        effect=Effect.STEER, low=1, high=10000, log=True,
    )  # fmt: skip
    offspring: int | None = param(
        None, "Offspring per generation",
        "Pictures that are tried in every generation. By default as many as the size of the "
        "network's input allows in a short step.",
        low=1, high=128, advanced=True,
    )  # fmt: skip
    gradient: bool = param(
        True, "Gradient ascent beside",
        "One step of gradient ascent on the class in every generation, for comparison.",
    )  # fmt: skip
    step: float = param(
        0.01, "Step size", "Mean change of a pixel in one step of the ascent; 1 is from black to "
        "white.",
        low=0.001, high=0.1, log=True, advanced=True, when=lambda params, _: params.gradient,
    )  # fmt: skip
    decay: float = param(
        0.02, "L2 decay",
        "Fraction of its distance to gray that every pixel loses in a step of the ascent.",
        low=0.0, high=0.5, step=0.01, advanced=True, when=lambda params, _: params.gradient,
    )  # fmt: skip
    shown: int = param(
        20, "Pictures shown", "How many are in the grid, the most probable first.",
        effect=Effect.DRAW, low=1, high=MOST_SHOWN,
    )  # fmt: skip
    elite: int | None = param(
        None, "Large picture",
        "The picture that is shown large: click one in the grid. By default the most probable one.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="elites", low=0, high=65535,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    run = _Run(scene, params)
    news: Params | None = params
    while news is not None or run.evolution.generation < params.generations:
        result = run.advance()
        done = run.evolution.generation
        total = max(done, params.generations)
        news = yield Step(result, done, total, f"generation {done:,} of {total:,}")
        params = news or params


class _Run:
    """An evolution and an ascent side by side; lives on the runner's thread."""

    def __init__(self, scene: Scene, params: Params) -> None:
        network = scene.network
        classifier, size = Classifier.of(network), tuple(scene.input().shape[-2:])
        self._photo = network.preprocess.picture(scene.input())
        self._shares = class_scores(scene.output()).softmax(1)[0].cpu().numpy()
        count = len(self._shares)
        if count < 2:
            raise ExplorerError(
                "This network has a single output, whose probability is always 100%.",
                "Choose a classification network with several classes.",
            )
        self._names = tuple(class_name(network.info.classes, label) for label in range(count))
        known = params.of != PHOTOS and params.of in network.info.classes
        label = network.info.classes.index(params.of) if known else int(self._shares.argmax())
        self._one = params.mode == ONE
        suited = min(max(PIXELS // (size[0] * size[1]), 4), MOST_OFFSPRING)
        self._offspring = params.offspring or suited
        self._history: list[tuple[float, float, float]] = []
        channels = network.preprocess.channels
        encoding: Encoding[Any] = (
            CppnEncoding(channels)
            if params.encoding == CPPN
            else DirectEncoding(params.side, channels)
        )
        population: Population[Any] = Fittest(label, KEPT) if self._one else MapElites(count)
        self.evolution: Evolution[Any] = Evolution(
            encoding, population, classifier.logits, (size[0], size[1]), network.device,
            np.random.default_rng(scene.seed),
        )  # fmt: skip
        self._label, self._heights = label, list[float]()
        self._ascent = None
        if params.gradient:
            self._ascent = Ascent.begin(
                classifier, label, (size[0], size[1]), scene.generator(),
                step=params.step, decay=params.decay,
            )  # fmt: skip

    def advance(self) -> Result:
        evolution = self.evolution
        population = evolution.population
        evolution.advance(self._offspring)
        there = np.array([member is not None for member in population.members])
        scores = population.scores[there].astype(np.float64)
        self._history.append((float(scores.max()), float(scores.mean()), float(np.median(scores))))
        if self._ascent is not None and len(self._heights) < ASCENT_STEPS:
            self._heights.append(self._ascent.advance())
        order = np.argsort(-population.scores, kind="stable")[:MOST_SHOWN]
        elites = [
            _elite(row if self._one else int(population.labels[row]), population, row)
            for row in order.tolist()
            if there[row]
        ]
        return Result(
            photo=self._photo,
            photo_shares=self._shares,
            elites=tuple(elites),
            history=np.array(self._history),
            reached=int((scores >= CLOSE).sum()),
            places=len(scores),
            one=self._names[self._label] if self._one else "",
            climb=self._climb(),
            names=self._names,
            offspring=self._offspring,
        )

    def _climb(self) -> Climb | None:
        if self._ascent is None:
            return None
        levels = self._ascent.picture[0].mul(255.0).round().to(torch.uint8)
        rgb = levels.expand(3, -1, -1).permute(1, 2, 0).contiguous().cpu().numpy()
        return Climb(self._label, rgb, np.array(self._heights))


def _elite(key: int, population: Population[Any], row: int) -> Elite:
    member: Individual[Any] | None = population.members[row]
    assert member is not None
    genome = member.genome
    picture = member.picture
    return Elite(
        key=key,
        label=int(population.labels[row]),
        score=float(population.scores[row]),
        rgb=picture if picture.shape[2] == 3 else picture.repeat(3, axis=2),
        top=tuple(zip(member.top.tolist(), member.shares.tolist(), strict=True)),
        born=member.born + 1,
        nodes=len(genome.functions) if isinstance(genome, Cppn) else 0,
    )


def draw(result: Result, params: Params) -> Board:
    elites = result.elites[: params.shown]
    chosen = next((elite for elite in elites if elite.key == params.elite), elites[0])
    reached = f"{result.reached:,} of {quantity(result.places, 'class', 'classes')}"
    if result.one:
        reached = f"{result.one}: {result.reached:,} of {quantity(result.places, 'picture')}"
    top = int(result.photo_shares.argmax())
    best, _, median = result.history[-1]
    words = [
        f"Generation {len(result.history):,}: {reached} with a probability of at least {CLOSE:.0%}",
        f"best {percent(best)}, median {percent(median)}",
        f"the photo: {result.names[top]} {percent(float(result.photo_shares[top]))}",
    ]
    return Board(
        panes=(
            panes.grid(result, params.shown, chosen),
            panes.comparison(result, chosen),
        ),
        plots=(panes.curves(result), panes.top_classes(result, chosen)),
        tables=(panes.table(result, elites),),
        summary=" · ".join(words),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The pictures with what the network computed for them.

    Keys: `pictures` (n, H, W, 3) uint8 at the size of the network's input, the most probable first;
    `class` (n,) names, `index` (n,), `probability` (n,) float32, `generation` (n,) from 1; `best`,
    `mean` and `median` (g,) float64 of every generation; with the gradient ascent also `ascent`
    (H, W, 3) uint8, `ascent_class` and `ascent_probability` (s,) float64 before every step.
    """
    found: dict[str, Any] = {
        "pictures": np.stack([elite.rgb for elite in result.elites]),
        "class": [result.names[elite.label] for elite in result.elites],
        "index": np.array([elite.label for elite in result.elites]),
        "probability": np.array([elite.score for elite in result.elites], np.float32),
        "generation": np.array([elite.born for elite in result.elites]),
        "best": result.history[:, 0],
        "mean": result.history[:, 1],
        "median": result.history[:, 2],
    }
    if result.climb is not None:
        found["ascent"] = result.climb.rgb
        found["ascent_class"] = result.names[result.climb.label]
        found["ascent_probability"] = result.climb.heights
    return found


VIEW = View(
    name="fooling",
    title="Fooling pictures",
    group=Group.SYNTHESIS,
    summary="Meaningless pictures with high probabilities, by evolution and by gradient ascent.",
    explanation=EXPLANATION,
    reference="Nguyen, Yosinski and Clune 2015, Deep Neural Networks are Easily Fooled",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification", "localization"}),
    best="classification",
    data=data,
    live=False,
    film=True,
)
