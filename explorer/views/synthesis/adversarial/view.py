"""Adversarial examples: a small perturbation of the photo that changes the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.synthesis.adversarial.attacks import Attack
from explorer.views.synthesis.adversarial.panes import board
from explorer.views.synthesis.adversarial.params import Params
from explorer.views.synthesis.adversarial.results import ClassOutput, Result

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Board
    from explorer.engine.scene import Scene

EXPLANATION = r"""
An **adversarial example** is a photo $x$ plus a small perturbation $r$ that changes the prediction.
The weights are fixed; only the picture is changed, along the gradient of a loss $L$.

**Reading it.** Left the original, in the middle $r$ enlarged (gray is no change), right the result.
The bars are the same classes before and after. The curves show how the prediction turns, step by
step. The first table says whether the result still succeeds when it is saved.

**Which picture.** The attack changes the picture *as the network receives it*: after resizing and
cropping, before normalization, with values from 0 to 1. The pane *result* shows it in its place in
the resized photo. Save this pane as a PNG and open the file: it has the size that the network
resizes to, so nothing is resampled, and the network receives the attacked pixels again, rounded to
8 bits. The table says whether the attack still succeeds then. As JPEG or at another size it often
does not (*Transfer matrix*).

**FGSM** takes one step of length $\epsilon$ along the sign of the gradient, **PGD** many small
ones; after each, $r$ is projected back into the ball:

$$ r \gets \Pi_\epsilon ( r - \alpha \, \mathrm{sign} \, g ) $$

$$ g = \frac{\partial L(x + r)}{\partial r} $$

The loss is the cross-entropy to the target class, or, untargeted, minus the cross-entropy to the
top class. With the norm *l2* a step follows $g / \lVert g \rVert$ instead.

**DeepFool** takes the classifier as linear around the picture and moves to the nearest boundary,
again and again. With $f_k$ the logit of class $k$ minus that of the top class and $w_k$ its
gradient, the update is

$$ r \gets r + \frac{|f_k|}{\lVert w_k \rVert^2} \, w_k $$

for the class $k$ with the smallest $|f_k| / \lVert w_k \rVert$. Targeted, $k$ is the target, which
is not in the paper.

**Szegedy et al.** weigh the perturbation against the distance $d$ of the output $f$ to the target
$S$:

$$ \min_r \; d(f(x + r), S) + \lambda \lVert r \rVert^2 $$

In the lecture, $d$ is the squared distance of the probabilities, and **gradient descent** does

$$ r \gets r - \gamma \left( \frac{\partial d}{\partial r} + 2 \lambda r \right) $$

The table lists every update. The paper uses **L-BFGS** under the bounds $0 \le x + r \le 1$ and
several $\lambda$: the largest one that succeeds gives the smallest perturbation.

**Detectors.** One box vanishes, changes its class, or appears. The loss is the cross-entropy of the
class scores of all proposals (or anchors) that overlap the box; for a new box also the objectness
of the RPN. The attack has succeeded when the detections after NMS say so at the place of the box,
from an IoU of 0.5 on. It works for the R-CNN family, RetinaNet, SSD and FCOS, not for YOLO.

The same seed and parameters give the same picture.

**Sources.** Szegedy et al. 2014, *Intriguing Properties of Neural Networks*, section 4; Goodfellow,
Shlens and Szegedy 2015, *Explaining and Harnessing Adversarial Examples*; Moosavi-Dezfooli, Fawzi
and Frossard 2016, *DeepFool*; Madry et al. 2018, ICLR (PGD); Xie et al. 2017, *Adversarial Examples
for Semantic Segmentation and Object Detection* (detectors).
"""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    attack = Attack(scene, params)
    for number, (result, note) in enumerate(attack.results(), start=1):
        final = bool(result.checks)
        yield Step(result, attack.total if final else number, attack.total, note)


def draw(result: Result, params: Params) -> Board:
    return board(result, params)


def data(result: Result, params: Params) -> dict[str, Any]:
    """Pictures and numbers.

    Keys: `original` and `picture` (h, w, 3) uint8 as the network receives them, `photo` (H, W, 3)
    uint8 with `picture` in place of the crop: opened as a photo it gives `picture` again;
    `perturbation` (h, w, c) float32 for values in [0, 1], `succeeds`; `step`, `loss`, `penalty`,
    `linf` (in 1/255) and `l2` (n,) of the updates. For a classifier `classes`, `before` and `after`
    (K,) float32 probabilities; for a detector `place` (4,), and `boxes` (N, 4), `labels`, `scores`
    of the result in pixels of the photo.
    """
    rows, output = result.rows, result.output
    answer: dict[str, Any] = {
        "original": result.original,
        "picture": result.picture,
        "photo": result.photo,
        "perturbation": result.change,
        "succeeds": result.last.reached,
        "step": np.array([row.step for row in rows], np.int64),
        "loss": np.array([row.loss for row in rows]),
        "penalty": np.array([row.penalty for row in rows]),
        "linf": np.array([row.linf for row in rows]),
        "l2": np.array([row.l2 for row in rows]),
    }
    if isinstance(output, ClassOutput):
        before, after = output.shares()
        return answer | {"classes": output.classes, "before": before, "after": after}
    found = output.after
    return answer | {
        "place": output.box, "boxes": found.xyxy, "labels": found.labels, "scores": found.scores,
    }  # fmt: skip


VIEW = View(
    name="adversarial",
    title="Adversarial example",
    group=Group.SYNTHESIS,
    summary="A small perturbation of the photo that changes the prediction.",
    explanation=EXPLANATION,
    reference="Szegedy et al. 2014, Intriguing Properties of Neural Networks, section 4",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification", "localization", "detection"}),
    data=data,
    live=False,
    film=True,
)
