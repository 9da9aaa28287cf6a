"""A generator and a discriminator are trained against each other, in the plane or on pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.step import Step
from explorer.engine.view import Action, Group, Needs, View
from explorer.training.adversarial.recipe import GAN_RUNS
from explorer.views.generative.gan_training import panes
from explorer.views.generative.gan_training.course import Result, steps
from explorer.views.generative.gan_training.params import Params, recipe_of
from explorer.views.shared.common import percent

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.engine.scene import Scene

EXPLANATION = r"""
Two networks are trained against each other. The **generator** $G$ makes samples from random
latents $z$; the **discriminator** $D$ gives every sample the probability that it is real. In turns
each of them takes a step, and the weights of the other stay as they are:

$$ \min_G \max_D \; \mathrm{E} \log D(x) + \mathrm{E} \log (1 - D(G(z))) $$

**Mode collapse.** The real points (dark) come from eight Gaussians. With the settings at the start
the discriminator is slow: all made points (yellow) gather at one Gaussian, where they pass as real,
until the discriminator has changed there and they fly to the next one. Set *Discriminator's
learning rate* to 0.001, while it runs: the points spread over all eight.

**Reading it.** Colors are the discriminator's output at every place. An arrow is minus the
derivative of the generator's loss with respect to a point: where it is pulled, 0.5 units for a
derivative of 1. A *mode* counts as
covered when at least 1% of the made points are within four standard deviations of its center.

**Losses**, for a score $s$; $D$ is its sigmoid. *Minimax*: the generator minimizes
$\log(1 - D(G(z)))$, which is flat where the discriminator is certain that a sample is made: the
arrows vanish. *Non-saturating*: it minimizes $-\log D(G(z))$ instead, and the arrows are longest
there. *Hinge*: the discriminator stops at scores of $\pm 1$. *Least squares*: scores are drawn to 1
and 0. *WGAN-GP*: the difference of the mean scores, with a penalty that keeps the gradient between
real and made samples at 1:

$$ 10 \; \mathrm{E} \left( \| \nabla s(\hat{x}) \| - 1 \right)^2 $$

**R1** adds the squared gradient of the scores at real samples, $\frac{\gamma}{2} \mathrm{E} \|
\nabla s(x) \|^2$. **Spectral norm** divides each layer of the discriminator by its largest singular
value; the scores of points are then multiplied by 30.

**Pictures.** The generator is a small style-based network, for 32 x 32 pixels. The samples are
those of fixed latents; below six of them is the size of the loss's gradient at each pixel. With
*progressive growing* both networks begin at 4 x 4 pixels; the next resolution is faded in, then
stays for a while. *Non-saturating* with an R1 penalty of 1 and equal learning rates of 0.001 is a
good choice here; the default settings collapse on pictures, too, which the diversity shows: the
difference of two samples, beside that of two real pictures.

**Runs are kept**, at least every 30 seconds, the newest 20. A run with the same settings goes on
where it was stopped, with exactly the same numbers on the same number of threads. *Fork* copies it:
what comes next, with other settings, belongs to the copy. A run of pictures can be opened in
*Latent space*.

**Sources.** Goodfellow et al. 2014; Radford et al. 2016; Metz et al. 2017, *Unrolled Generative
Adversarial Networks* (eight Gaussians); Mao et al. 2017; Gulrajani et al. 2017 (WGAN-GP); Lim and
Ye 2017 (hinge); Miyato et al. 2018 (spectral norm); Mescheder et al. 2018 (R1); Karras et al. 2018,
*Progressive Growing of GANs*.
"""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Params | None, None]:
    yield from steps(scene, params)


def draw(result: Result, params: Params) -> Board:
    looks = panes.until(result, params.moment)
    return Board(
        result.cache.get(params.moment, lambda: panes.panes(result, looks)),
        plots=panes.plots(result, looks),
        tables=panes.tables(result),
        summary=_summary(result),
        notes=result.notes,
    )


def _summary(result: Result) -> str:
    if not result.looks:
        return "Reading the photos"
    last = result.looks[-1]
    words = [f"step {result.step} of {max(result.recipe.steps, result.step)}", result.source]
    if last.side:
        words.append(f"diversity {last.quality:.0f}, of real pictures {last.truth:.0f}")
    else:
        words.append(f"{last.quality:.0f} of {last.truth:.0f} modes covered")
        words.append(f"{percent(last.near)} of the points near a center")
    if result.name:
        words.append(f"kept as {result.name}")
    return " · ".join(words)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The curves and the last look.

    Keys: `recipe` as JSON has it; `discriminator_loss`, `generator_loss`, `penalty`, `real_score`,
    `made_score` (N,) float64 of every step; `looks` (M,) steps with `quality` (M,), modes covered
    or diversity; `samples` of the last look, (400, 2) float32 points or (24, 32, 32, 3) uint8;
    `field` (48, 48) float32 scores of the plane; `real_scores`, `made_scores` float32.
    """
    names = ("discriminator_loss", "generator_loss", "penalty", "real_score", "made_score")
    looks = result.looks
    found = {
        "recipe": result.recipe.plain(),
        **dict(zip(names, result.taken.T, strict=True)),
        "looks": np.array([each.step for each in looks], np.int64),
        "quality": np.array([each.quality for each in looks], np.float64),
    }
    if looks:
        last = looks[-1]
        found |= {
            "samples": last.samples, "field": last.field, "real_scores": last.real,
            "made_scores": last.made,
        }  # fmt: skip
    return found


def fork(scene: Scene, params: Params) -> Generator[Step[None], Any, None]:
    """Copies the newest kept run with these settings."""
    yield Step(None)
    found = GAN_RUNS.fitting(recipe_of(params), scene.seed)
    if not found:
        raise ExplorerError(
            "No run with these settings is kept yet.", "Let it train for some seconds first."
        )
    GAN_RUNS.fork(found[0])


def start_over(scene: Scene, params: Params) -> Generator[Step[None], Any, None]:
    """Forgets the kept runs with these settings."""
    yield Step(None)
    GAN_RUNS.forget(recipe_of(params), scene.seed)


VIEW = View(
    name="gan_training",
    title="GAN training, live",
    group=Group.GENERATIVE,
    summary="Trains a generator and a discriminator against each other; shows mode collapse.",
    explanation=EXPLANATION,
    reference="Goodfellow et al. 2014, Generative Adversarial Nets",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.NEITHER,
    actions=(
        Action(
            "fork", "Fork", "Copies the kept run; what comes next belongs to the copy.", fork,
        ),
        Action(
            "start_over", "Start over",
            "Deletes the kept runs with these settings and trains anew.",
            start_over,
        ),
    ),
)  # fmt: skip
