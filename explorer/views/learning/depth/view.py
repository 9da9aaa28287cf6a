"""Shallow and deep networks are trained side by side, on the same batches."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import Board
from explorer.core.params import FolderRef, param
from explorer.core.step import Step
from explorer.core.storage.checkpoint import Checkpoint
from explorer.engine.view import Action, Group, Needs, View
from explorer.networks.devices import AUTO, resolve
from explorer.networks.embedded.small_net import SmallNet
from explorer.training.small.learner import Learner, prepared, tensors_of
from explorer.training.small.network import scale_branches, with_identity_layers
from explorer.training.small.recipe import Recipe
from explorer.views.learning.depth import charts
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.grids.matrix import BLUE, GREEN, ORANGE, RED
from explorer.views.shared.learning.charts import blank_pane
from explorer.views.shared.learning.keeping import MISFITS, Kept, keeping, misfit
from explorer.views.shared.learning.lanes import Trained, lanes_of
from explorer.views.shared.learning.source import DATA_HELP, described, reading

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.training.small.data_set import DataSet
from explorer.views.shared.learning.lanes import Lane

EXPLANATION = r"""
More layers can compute more functions. Whether training finds them is another question.

**Plain and residual.** Two plain networks and the same two with a shortcut around every pair of
convolutions are trained on the same batches. All have batch norm, so the signal does not vanish.
But the gradient of a plain network grows from layer to layer on its way back: at the start it is a
thousand times larger in the first of 56 layers than in the last. The deep plain network trains
worse than the shallow one: its *training* loss is higher, so this is no overfitting. In a residual
block the layers add to their input:

$$ y = x + F(x) $$

The gradient reaches $x$ directly through the sum, and a block that is not needed has only to make
$F$ small. Here the last batch norm of each of the $L$ blocks begins with a scale of $1 / \sqrt{L}$.
With shortcuts the deep network trains about as well as the shallow one, or better.

**Initialization.** A deep plain network with ReLUs and *without* batch norm. Behind a ReLU half of
the signal's mean square is lost, and Glorot's weights, made for layers without one, do not make up
for it: with as many inputs as outputs each layer leaves half of it, after 22 layers $2^{-22}$. He's
weights have twice the variance, and the gradient has about the same size in all layers. With 30
layers He's network begins to learn after about a hundred steps; Glorot's stays at the loss of
chance, here as in the paper. The learning rate has to be small: with one three times as large He's
weights are thrown off in the first steps, and neither network begins. These are trained with Adam,
the others with momentum.

**Identity layers.** Depth cannot hurt what a network *can* compute: behind a trained shallow
network come layers that pass every channel on (a kernel with a 1 in its middle), and the deeper
network computes the same function. Its training continues from there. The same deep network from
random weights is trained for as many steps as both, and often stays behind: that it trains worse is
a matter of the optimization.

**Reading it.** Each map shows the gradient norm of every layer's weights over time, on one
logarithmic scale: the first layer is on top. Even rows are what a training needs; very dark ones
are layers that learn nothing. The networks take turns, so the curves grow together. A training that
was left goes on where it was, with exactly the same numbers on the same number of threads; *Start
over* forgets it.

He et al. 2016, *Deep Residual Learning for Image Recognition*, sections 1, 3 and 4.2 (plain 20 and
56 layers on CIFAR-10); He et al. 2015, *Delving Deep into Rectifiers*, section 2.2, figures 2 and 3
(22 and 30 layers); Glorot and Bengio 2010; De and Smith 2020, section 3 (the scale of the blocks);
Yang et al. 2019, *A Mean Field Theory of Batch Normalization* (growing gradients).
"""

RESIDUAL, INITIALIZATION, IDENTITY = SHOW = (
    "plain and residual", "initialization", "identity layers",
)  # fmt: skip


def _is(*words: str) -> Any:
    def shown(params: Params, _info: NetworkInfo | None) -> bool:
        return params.show in words

    return shown


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(RESIDUAL, "Compare", "Which networks are trained side by side.", choices=SHOW)
    shallow: int = param(
        20, "Layers, shallow", "Of the shallow networks.",
        low=4, high=26, step=2, when=_is(RESIDUAL),
    )  # fmt: skip
    deep: int = param(
        56, "Layers, deep", "Of the deep networks.", low=6, high=56, step=2, when=_is(RESIDUAL)
    )
    depth: int = param(
        30, "Layers", "Of all networks: 22 and 30 in the paper.",
        low=4, high=40, when=_is(INITIALIZATION),
    )  # fmt: skip
    base: int = param(
        8, "Layers, shallow", "Of the network that is trained first.",
        low=2, high=20, when=_is(IDENTITY),
    )  # fmt: skip
    added: int = param(
        12, "Identity layers", "Layers behind it.", low=1, high=40, when=_is(IDENTITY)
    )
    width: int = param(
        8, "Channels", "Of the first stage; the next ones have 2 and 4 times as many.",
        low=4, high=16, step=4,
    )  # fmt: skip
    steps: int = param(300, "Steps", "Of each network.", low=10, high=10000, log=True)
    rate: float = param(
        0.05, "Learning rate", "The highest one; it falls to 0 like a cosine.",
        low=0.0001, high=1.0, log=True, when=_is(RESIDUAL),
    )  # fmt: skip
    adam_rate: float = param(
        0.0003, "Learning rate", "Adam's highest one; it falls to 0 like a cosine.",
        low=0.00001, high=0.1, log=True, when=_is(INITIALIZATION),
    )  # fmt: skip
    plain_rate: float = param(
        0.01, "Learning rate", "The highest one; it falls to 0 like a cosine.",
        low=0.0001, high=1.0, log=True, when=_is(IDENTITY),
    )  # fmt: skip
    batch: int = param(32, "Batch size", "Pictures of a step.", low=1, high=256, log=True)
    data: FolderRef | None = param(None, "Data", DATA_HELP, section="Data")


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The networks so far; `difference` is the largest one between logits of the identity pair."""

    show: str
    words: str
    lanes: tuple[Lane, ...] = ()
    difference: float | None = None
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    data, _ = yield from reading(scene, params.data, Result(params.show, ""))
    race = _Race(data, params, scene.seed)
    steps = race.identity() if params.show == IDENTITY else race.together()
    yield from keeping(steps, race.keep)


def start_over(scene: Scene, params: Params) -> Generator[Step[None], Any, None]:
    """Forgets the kept training with these settings."""
    data, _ = yield from reading(scene, params.data, None)
    _kept(data, params, scene.seed).forget()


def _kept(data: DataSet, params: Params, seed: int) -> Kept:
    settings = {**asdict(params), "data": data.digest()}
    return Kept("depth", seed=seed, **settings)


class _Race:
    """Lives on the runner's thread."""

    def __init__(self, data: DataSet, params: Params, seed: int) -> None:
        self._data, self._params, self._seed = data, params, seed
        self._device = resolve(AUTO)
        self._networks: list[Trained] = []
        self._difference: float | None = None
        self._kept = _kept(data, params, seed)
        self._given = self._kept.read()
        self._done = 0

    def together(self) -> Generator[Step[Result], Any, None]:
        """All networks take turns."""
        p = self._params
        if p.show == RESIDUAL:
            for words, shortcuts, colors in (
                ("plain", False, (BLUE, RED)), ("residual", True, (GREEN, ORANGE)),
            ):  # fmt: skip
                for layers, color in zip((p.shallow, p.deep), colors, strict=True):
                    recipe = self._recipe(layers=layers, norm=True, shortcuts=shortcuts)
                    trained = self._add(f"{words}, {layers} layers", color, recipe)
                    network = trained.learner.network
                    if shortcuts and isinstance(network, SmallNet):
                        scale_branches(network)
        else:
            for how, color in (("Glorot", RED), ("He", BLUE)):
                # With plain SGD neither begins within a few hundred steps.
                recipe = self._recipe(
                    layers=p.depth, norm=False, initialization=how, optimizer="Adam"
                )
                self._add(f"{how}, {p.depth} layers", color, recipe)
        self._restore(*self._networks)
        total = p.steps * len(self._networks)
        yield from self._turns(self._networks, 0, total, total, p.steps)
        yield Step(self._result(), total, total)

    def identity(self) -> Generator[Step[Result], Any, None]:
        """The shallow network, then it with identity layers; the deep one as long as both."""
        p = self._params
        recipe = self._recipe(layers=p.base, norm=False, initialization="He")
        layers, half, total = p.base + p.added, 2 * p.steps, 4 * p.steps
        shallow = self._add(f"shallow, {p.base} layers", BLUE, recipe)
        network = shallow.learner.network
        assert isinstance(network, SmallNet)
        # The layers that are identities in the other network are drawn at random in this one.
        twin = with_identity_layers(network, p.added)
        longer = replace(recipe, steps=2 * p.steps)
        random = self._add(f"from random weights, {layers} layers", RED, longer, twin)
        random.learner.draw_again()
        self._restore(shallow, random)
        yield from self._turns((shallow, random), 0, half, total, 2 * p.steps)
        deep = with_identity_layers(network, p.added)
        self._difference = self._compared(network, deep)
        name = f"with identity layers, {layers} layers"
        built = self._add(name, GREEN, recipe, deep, first=p.steps)
        if self._done > half:
            self._restore(built)
        yield from self._turns((built, random), half, total, total, 2 * p.steps)
        yield Step(self._result(), total, total)

    def _turns(
        self, networks: Sequence[Trained], first: int, last: int, total: int, steps: int
    ) -> Generator[Step[Result], Any, None]:
        """The turns from `first` to `last` of all `total`, without those that are done."""
        for turn in range(max(first, self._done), last):
            each = networks[(turn - first) % len(networks)]
            each.step()
            self._done = turn + 1
            number = turn // len(networks) + 1
            yield Step(self._result(), self._done, total, f"step {number} of {steps}")

    # -- stopping and going on ------------------------------------------------------------------

    def keep(self) -> None:
        arrays: dict[str, Any] = {}
        for place, each in enumerate(self._networks):
            arrays.update(each.arrays(f"{place}."))
        self._kept.write(Checkpoint({"done": self._done}, arrays))

    def _restore(self, *networks: Trained) -> None:
        """Where an earlier training with the same settings has brought them."""
        if self._given is None:
            return
        try:
            for each in networks:
                each.restore(self._given.arrays, f"{self._networks.index(each)}.")
            self._done = int(self._given.content["done"])
        except MISFITS as error:
            raise misfit(error) from error

    def _recipe(self, **own: Any) -> Recipe:
        p = self._params
        rate = {RESIDUAL: p.rate, INITIALIZATION: p.adam_rate, IDENTITY: p.plain_rate}[p.show]
        return Recipe(width=p.width, steps=p.steps, batch=p.batch, rate=rate, decay=0.0001, **own)

    def _add(
        self,
        name: str,
        color: Any,
        recipe: Recipe,
        network: torch.nn.Module | None = None,
        first: int = 0,
    ) -> Trained:
        learner = Learner(self._data, recipe, self._seed, device=self._device, network=network)
        self._networks.append(Trained(name, color, learner, first))
        return self._networks[-1]

    @torch.no_grad()
    def _compared(self, shallow: torch.nn.Module, deep: torch.nn.Module) -> float:
        """The largest difference of their logits on the validation block."""
        _, validation = self._data.split(0)
        x, _ = tensors_of(validation, self._device)
        both = [module.eval()(prepared(x)) for module in (shallow, deep)]
        return float((both[0] - both[1]).abs().max())

    def _result(self) -> Result:
        return Result(
            self._params.show, described(self._data), lanes_of(self._networks), self._difference,
            self._data.problems,
        )  # fmt: skip


def draw(result: Result, params: Params) -> Board:
    if not result.lanes:
        blank = blank_pane("flow_0", "Networks", "not yet")
        return Board((blank,), summary="Reading the data")
    return Board(
        result.cache.get("panes", lambda: charts.flow_panes(result.lanes)),
        plots=charts.plots(result.lanes),
        tables=(charts.table(result.lanes),),
        summary=_summary(result),
        notes=result.notes,
    )


def _summary(result: Result) -> str:
    words = [
        f"{lane.name}: training loss {lane.loss():.3f}" for lane in result.lanes if len(lane.losses)
    ]
    if result.difference is not None:
        words.append(
            f"largest difference of an output with and without the identity layers: "
            f"{result.difference:.3g}"
        )
    return " · ".join([*words, result.words] if words else [result.words])


def data(result: Result, params: Params) -> dict[str, Any]:
    """The curves of every network, numbered from 0 in the order of the table.

    Keys: `networks`, their names; `layers`, `parameters` (n,) int64; `difference`, NaN where there
    are no identity layers; for network k `losses_k`, `accuracies_k` (N,) float64 of its batches,
    `validation_k` (M, 3) step, loss, accuracy, `gradient_norms_k` (M, L) float32.
    """
    lanes = result.lanes
    found: dict[str, Any] = {
        "networks": tuple(lane.name for lane in lanes),
        "layers": np.array([lane.layers for lane in lanes], np.int64),
        "parameters": np.array([lane.weights for lane in lanes], np.int64),
        "difference": float("nan") if result.difference is None else result.difference,
    }
    for place, lane in enumerate(lanes):
        found[f"losses_{place}"] = lane.losses
        found[f"accuracies_{place}"] = lane.accuracies
        found[f"validation_{place}"] = lane.looks
        found[f"gradient_norms_{place}"] = lane.flow
    return found


VIEW = View(
    name="depth",
    title="Depth and shortcuts",
    group=Group.LEARNING,
    summary="Shallow and deep networks side by side: shortcuts, initialization, identity layers.",
    explanation=EXPLANATION,
    reference="He et al. 2016, Deep Residual Learning, section 4.2; He et al. 2015, section 2.2",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.NEITHER,
    actions=(
        Action(
            "start_over", "Start over",
            "Deletes the kept training with these settings and trains anew.", start_over,
        ),
    ),
)  # fmt: skip
