"""A small network is trained; everything about it can be changed meanwhile."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board
from explorer.core.step import Step
from explorer.engine.view import Action, Group, Needs, View
from explorer.training.small.runs import RUNS
from explorer.views.learning.training_lab import panes
from explorer.views.learning.training_lab.course import Result, live, steps
from explorer.views.learning.training_lab.params import Params, recipe_of
from explorer.views.shared.common import percent

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.engine.scene import Scene
    from explorer.networks.made import NewNetwork

EXPLANATION = r"""
A small convolutional network is trained here, from random weights. **Nearly everything can be
changed while it runs**; the next step uses it, and the curves go on. Layers, channels and data
start a new run.

**Initialization.** A plain network multiplies its signal by about the same factor in every layer,
and the gradient on its way back, too. He's weights have the variance $2/n$ for $n$ inputs, which
makes the factor 1 behind a ReLU. Switch *Batch norm* off, then choose *too small*: the outputs of
the later layers and the gradients of the first ones vanish, and nothing is learned.

**Batch norm** normalizes every channel over the batch, with a scale and an offset of its own:

$$ y = \gamma \, \frac{x - \mu_B}{\sqrt{\sigma_B^2 + \epsilon}} + \beta $$

It bears a learning rate that is ten times larger: try 0.02, then 0.2, with and without it.

**Optimizers.** SGD takes a step of length $\eta$ against the gradient $g$ of a batch; momentum adds
up earlier ones, $v \leftarrow 0.9 \, v + g$. Adam divides the running mean of each derivative by
the root of the running mean of its square. *Schedule* lets $\eta$ fall. **Clipping** limits each
derivative (by value) or scales all of them (by norm).

**Regularization.** If the training accuracy is far above the validation accuracy, the network
overfits. Weight decay, dropout and above all **augmentation** narrow the gap: shapes may be
mirrored and rotated without changing their class.

**Reading it.** Frames are green where the prediction is correct. *Kernels* of the first layer begin
as noise and become edges and spots of color; each column has one scale. In the histograms time goes
to the right, the first layer is on top; the gradients are logarithmic, larger ones higher up.

**Runs are kept**, at least every 30 seconds, the newest 40. A run with the same settings goes on
where it was stopped, with exactly the same numbers on the same number of threads; *Start over*
forgets it. Each is a folder with two small files in the data folder, under *runs*: give it to
somebody else, who opens it with *Open a run*. Compare settings by the validation accuracy; the
test pictures are not used here. *Keep this network* puts the network as it is now into the catalog,
so that every other view can show it.

**Data.** Without a folder these are shapes that the program draws. With one: a subfolder of photos
for each class, at least ten in each.

**Sources.** Glorot and Bengio 2010; He et al. 2015, *Delving Deep into Rectifiers*; Ioffe and
Szegedy 2015, *Batch Normalization*; Srivastava et al. 2014, *Dropout*; Kingma and Ba 2015, *Adam*;
Loshchilov and Hutter 2019, *Decoupled Weight Decay*; Pascanu, Mikolov and Bengio 2013 (clipping).
"""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Params | None, None]:
    yield from steps(scene, params)


def draw(result: Result, params: Params) -> Board:
    moments = panes.until(result, params.moment)
    cache, last = result.cache, params.moment
    shown = (
        cache.get("predictions", lambda: panes.predictions(result)),
        cache.get(("kernels", last), lambda: panes.kernels(moments)),
        cache.get(("activations", last), lambda: panes.histograms(moments, gradients=False)),
        cache.get(("gradients", last), lambda: panes.histograms(moments, gradients=True)),
    )
    return Board(
        shown,
        plots=panes.plots(result, moments, params.compared),
        tables=panes.tables(result),
        summary=_summary(result),
        notes=result.notes,
    )


def _summary(result: Result) -> str:
    if not result.moments:
        return "Reading the data"
    words = [f"step {result.step} of {max(result.recipe.steps, result.step)}"]
    loss = panes.last_of(result.taken[:, 0])
    if isfinite(loss):
        words.append(f"training loss {loss:.3f}")
        words.append(f"training accuracy {percent(panes.last_of(result.taken[:, 1]))}")
    words.append(f"validation accuracy {percent(result.moments[-1].accuracy)}")
    words.append(f"learning rate {result.recipe.rate_at(result.step):.3g}")
    words.append(result.words)
    if result.name:
        words.append(f"kept as {result.name}")
    return " · ".join(words)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The curves, and what the layers were like.

    Keys: `recipe` as JSON has it; `loss`, `accuracy`, `gradient_norm`, `rate` (N,) float64 of every
    step; `moments` (M,) steps of the looks inside with `validation_loss`, `validation_accuracy`
    (M,); `gradient_norms` and `output_stds` (M, L) of every layer; `kernels` (O, 3, k, k) float32.
    """
    moments = result.moments
    columns = dict(zip(("loss", "accuracy", "gradient_norm", "rate"), result.taken.T, strict=True))
    return {
        "recipe": result.recipe.plain(),
        **columns,
        "moments": np.array([each.step for each in moments], np.int64),
        "validation_loss": np.array([each.loss for each in moments], np.float64),
        "validation_accuracy": np.array([each.accuracy for each in moments], np.float64),
        "gradient_norms": np.array([each.flow for each in moments], np.float32),
        "output_stds": np.array([each.signal for each in moments], np.float32),
        "kernels": moments[-1].kernels if moments else np.zeros((0, 3, 1, 1), np.float32),
    }


def keep(scene: Scene, params: Params) -> Generator[Step[Any], Any, NewNetwork]:
    """The network as it is now; where these settings are not being trained, at the end of it."""
    course = live(scene, params)
    if course is None:
        yield from steps(scene, params)
        course = live(scene, params)
        assert course is not None
    yield Step(None)
    return course.network()


def start_over(scene: Scene, params: Params) -> Generator[Step[None], Any, None]:
    """Forgets the kept runs with these settings."""
    yield Step(None)
    RUNS.forget(recipe_of(params), scene.seed)


def clear(scene: Scene, params: Params) -> Generator[Step[None], Any, None]:
    """Forgets every kept run."""
    yield Step(None)
    for run in RUNS.listed():
        RUNS.remove(run.name)


VIEW = View(
    name="training_lab",
    title="Training, live",
    group=Group.LEARNING,
    summary="Trains a small network from random weights; everything can be changed while it runs.",
    explanation=EXPLANATION,
    reference="He et al. 2015, Delving Deep into Rectifiers; Ioffe and Szegedy 2015, Batch Norm",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.NEITHER,
    actions=(
        Action(
            "keep", "Keep this network",
            "Adds the network as it is now to the catalog, under Made here.", keep,
        ),
        Action(
            "start_over", "Start over", "Deletes the kept run with these settings and trains anew.",
            start_over,
        ),
        Action("clear", "Delete kept runs", "Deletes all kept runs from the disk.", clear),
    ),
)  # fmt: skip
