"""A small pix2pix is trained on the photo: L1 and GAN loss are weighed while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import Board, Curve, Heat, Pane, Picture, Plot
from explorer.core.params import Effect, param
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.evaluation.generated.pictures import to_pixels
from explorer.networks.generative.super_resolution import SCALE, bicubic
from explorer.training.adversarial.pairs import MULTIPLE, PairLearner
from explorer.training.lessons.generative.photos import lab_of
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.translation.networks import resized, tensor_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Color, Float32, UInt8
    from explorer.engine.scene import Scene
    from explorer.training.adversarial.pairs import Losses

EXPLANATION = r"""
pix2pix trains two networks against each other. The **discriminator** $D$ tells real pairs $(x, y)$
from made ones $(x, G(x))$; the **generator** $G$, a small U-Net, minimizes

$$ \lambda \, | y - G(x) | - \gamma \log D(x, G(x)) $$

Both begin with random weights and are trained on patches of your photo: $y$ is the photo, $x$ the
same reduced to a quarter of its sides, or without its colors. A minute is enough to see what each
loss does, since there is one photo to remember; a network for any photo takes hours.

**Move the sliders while it runs.** With *L1* alone ($\gamma = 0$) the result is close and smooth:
where several pictures are possible, the mean of them errs least. With the *GAN* loss alone
($\lambda = 0$) there is texture and noise that need not be at the right place. Both together are
pix2pix; the paper takes $\lambda = 100$.

**Reading it.** *PatchGAN* is the probability, by the discriminator, that a patch is made. Where it
is near 0.5 everywhere, the players are even: the discriminator's loss is then $2 \log 2 = 1.39$.

**Source.** Isola et al. 2017, *Image-to-Image Translation with Conditional Adversarial Networks*,
sections 3.1 and 4.2.
"""

SHARP, COLORS = "blurred to sharp", "gray to color"
SIDE = 192
"""Longest side of the photo while it is trained on."""

EVERY = 5
"""Steps from one picture to the next."""

FRAME = "region"
CURVES: tuple[tuple[str, Color], ...] = (
    ("L1", (90, 160, 250)), ("generator", (240, 150, 60)), ("discriminator", (90, 190, 120)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    kind: str = param(
        SHARP, "Pairs", "What is made of the photo, and has to be undone.", choices=(SHARP, COLORS)
    )
    l1: float = param(
        100.0, "Weight of L1", "Lambda: 0 is the GAN loss alone.",
        effect=Effect.STEER, low=0.0, high=200.0, step=1.0,
    )  # fmt: skip
    gan: float = param(
        1.0, "Weight of the GAN loss", "Gamma: 0 is L1 alone.",
        effect=Effect.STEER, low=0.0, high=5.0, step=0.1,
    )  # fmt: skip
    steps: int = param(
        300, "Steps", "Each one trains both networks on four patches.", low=1, high=5000, log=True
    )


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The pair, what is made now, and the losses so far.

    Attributes:
        given: (H, W, 3), the generator's input.
        made: (H, W, 3), its output.
        truth: (H, W, 3).
        patches: (h, w) float32, the probability that a patch is made.
        losses: (steps, 3) float64: L1 (of 2, the range of values), generator, discriminator.
    """

    given: Picture
    made: Picture
    truth: Picture
    patches: Float32
    losses: np.ndarray[Any, np.dtype[np.float64]]


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Params | None, None]:
    truth = _fitting(photo_of(scene).rgb)
    given = _reduced(truth) if params.kind == SHARP else _gray(truth)
    learner = PairLearner(tensor_of(given), tensor_of(truth), scene.seed)
    pair = Picture(given, name="input"), Picture(truth, name="truth")
    losses: list[Losses] = []
    now = params
    while True:
        done = len(losses)
        news = yield Step(
            _result(learner, pair, losses), done, params.steps, f"step {done} of {params.steps}"
        )
        now = news or now
        if done >= params.steps:
            return
        for _ in range(min(EVERY, params.steps - done)):
            losses.append(learner.advance(now.l1, now.gan))


def _result(learner: PairLearner, pair: tuple[Picture, Picture], losses: list[Losses]) -> Result:
    made, scores = learner.made()
    given, truth = pair
    rows = [(each.l1, each.generator, each.discriminator) for each in losses]
    return Result(
        given,
        Picture(to_pixels(made)[0], name="made"),
        truth,
        (-scores[0, 0]).sigmoid().numpy(),
        np.array(rows, np.float64).reshape(-1, len(CURVES)),
    )


def _fitting(pixels: UInt8) -> UInt8:
    """The photo with a longer side of about `SIDE`, both sides multiples of `MULTIPLE`."""
    share = min(1.0, SIDE / max(pixels.shape[:2]))
    rows, columns = (max(round(share * side / MULTIPLE), 3) * MULTIPLE for side in pixels.shape[:2])
    return resized(pixels, columns, rows)


@torch.no_grad()
def _reduced(truth: UInt8) -> UInt8:
    """To a quarter of the sides, and enlarged again."""
    small = bicubic(tensor_of(truth), 1 / SCALE)
    found: UInt8 = to_pixels(bicubic(small, SCALE))[0]
    return found


def _gray(truth: UInt8) -> UInt8:
    """Its lightness alone."""
    light = lab_of(truth)[..., :1] * np.float32(2.55)
    return np.ascontiguousarray(np.repeat(light.round().astype(np.uint8), 3, axis=2))


def draw(result: Result, params: Params) -> Board:
    size = size_of(result.truth)
    pictures = (
        ("Input", result.given), ("Generator", result.made), ("Truth", result.truth),
    )  # fmt: skip
    panes = [
        Pane(picture.name, size, (picture,), title=title, frame=FRAME)
        for title, picture in pictures
    ]
    height, width = result.patches.shape
    heat = Heat(
        result.patches, 0.0, 1.0, colormap="viridis", extent=(4.0, 4.0, 4.0 + 4 * width,
        4.0 + 4 * height), unit="P(made)", name="patches",
    )  # fmt: skip
    panes.append(Pane("patches", size, (heat,), title="PatchGAN", frame=FRAME))
    steps = np.arange(1, len(result.losses) + 1, dtype=np.float64)
    curves = tuple(
        Curve(steps, values, label, color)
        for values, (label, color) in zip(result.losses.T, CURVES, strict=True)
    )
    plot = Plot("losses", "Losses", "step", "loss", curves, whole_x=True)
    words = "before the first step"
    if len(result.losses):
        l1, generator, discriminator = result.losses[-1]
        words = (
            f"step {len(result.losses)}: L1 {l1 * 127.5:.1f} of 255, generator {generator:.2f}, "
            f"discriminator {discriminator:.2f}"
        )
    return Board(panes=tuple(panes), plots=(plot,), summary=words)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The pictures and losses.

    Keys: `given`, `made`, `truth` (H, W, 3) uint8; `patches` (h, w) float32, the probability that a
    patch is made; `l1` (of 2), `generator` and `discriminator` (steps,) float64.
    """
    names = ("l1", "generator", "discriminator")
    return {
        "given": result.given.rgb,
        "made": result.made.rgb,
        "truth": result.truth.rgb,
        "patches": result.patches,
        **dict(zip(names, result.losses.T, strict=True)),
    }


VIEW = View(
    name="translation_training",
    title="Translation training",
    group=Group.GENERATIVE,
    summary="A small pix2pix is trained on the photo; L1 and GAN loss are weighed while it runs.",
    explanation=EXPLANATION,
    reference="Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial "
    "Networks, section 4.2",
    Params=Params,
    compute=compute,
    draw=draw,
    needs=Needs.PHOTO,
    data=data,
    live=False,
    film=True,
)
