"""What goes through the layers of a network, forward and back, and what changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explorer.engine.view import Group, View
from explorer.views.inside.layer_statistics import (
    batch_norm,
    blocks,
    dropout_masks,
    flow,
    random_nets,
)
from explorer.views.inside.layer_statistics.batch_norm import NormResult
from explorer.views.inside.layer_statistics.blocks import BlockResult
from explorer.views.inside.layer_statistics.dropout_masks import DropoutResult
from explorer.views.inside.layer_statistics.flow import FlowResult
from explorer.views.inside.layer_statistics.params import (
    ACTIVATIONS,
    DROPOUT,
    GRADIENTS,
    NORM,
    RANDOM,
    RESIDUAL,
    SHOW,
    Params,
)
from explorer.views.inside.layer_statistics.random_nets import RandomResult

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from explorer.core.layers import Board
    from explorer.core.step import Step
    from explorer.engine.scene import Scene

EXPLANATION = r"""
A layer works well if its input has a moderate size. This view shows how outputs and gradients are
distributed from the first layer to the last, and what changes them.

**Activations, gradients.** Every column is the histogram of one convolution or linear layer, before
its activation function. White is the median, orange the 5th and the 95th percentile. Gradients are
those of the cross-entropy of *Class*, on a logarithmic scale. *Weights* replaces the weights of the
network by random ones, *Shortcuts* off turns residual blocks into plain ones.

**Clipping.** A gradient $g$ that is too large is clipped by value, which changes its direction, or
by norm, which does not:

$$ g_i \leftarrow \min(\max(g_i, -c), c) $$

$$ g \leftarrow g \, \min\!\left(1, \frac{c}{\lVert g \rVert}\right) $$

**Depth and initialization.** In a plain random network every layer multiplies the signal by about
the same factor, so it vanishes or explodes with depth. He's variance $2 / n$ ($n$ inputs of a unit)
makes the factor 1 behind a ReLU, Glorot's $2 / (n + m)$ is half of it there. A residual network
adds $F(x)$ to $x$: gradients reach the first layers through the shortcuts.

**Residual blocks.** The size of $F(x)$ beside $x$. Then each block is removed: it gives $x$. A
residual network changes little if one block is missing, since the others still have their input.

**Batch norm.** In training a channel is normalized with the mean and the variance of the batch, at
inference with running averages of them. *Batch* makes a batch of parts of the photo and compares:

$$ y = \gamma \, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta $$

With $\gamma = \sqrt{\sigma^2 + \epsilon}$ and $\beta = \mu$ the output is $x$ again: a network can
undo the normalization.

**Dropout.** A value is kept with probability $p$ (*Keep*) and divided by it. Every mask is another
network with the same weights. Without dropout the network gives about the mean of all of them. In a
network that has no dropout the masks are before its last linear layer.

**Sources.** Glorot and Bengio 2010; He et al. 2015, *Delving Deep into Rectifiers*, section 2.2; He
et al. 2016, *Deep Residual Learning*; Veit, Wilber and Belongie 2016, *Residual Networks Behave
Like Ensembles of Relatively Shallow Networks* (blocks removed); Ioffe and Szegedy 2015; Srivastava
et al. 2014; Pascanu, Mikolov and Bengio 2013, section 3.2.
"""

Result = FlowResult | RandomResult | BlockResult | NormResult | DropoutResult

_STEPS: Mapping[str, Callable[[Scene, Params], Generator[Step[Any], Any, None]]] = {
    ACTIVATIONS: flow.steps,
    GRADIENTS: flow.steps,
    RANDOM: random_nets.steps,
    RESIDUAL: blocks.steps,
    NORM: batch_norm.steps,
    DROPOUT: dropout_masks.steps,
}
assert set(_STEPS) == set(SHOW)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    yield from _STEPS[params.show](scene, params)


def draw(result: Result, params: Params) -> Board:
    match result:
        case FlowResult():
            return flow.board(result, params)
        case RandomResult():
            return random_nets.board(result, params)
        case BlockResult():
            return blocks.board(result, params)
        case NormResult():
            return batch_norm.board(result, params)
        case DropoutResult():
            return dropout_masks.board(result, params)


def data(result: Result, params: Params) -> dict[str, Any]:
    """What is shown, with `show`.

    Activations and gradients: `layers` (names), `mean` and `std` (L,), `percentiles` (L, 5: 5, 25,
    50, 75, 95%), `gradient_std`, `weight_gradient_norm` (L,), `gradient_norm`; `clipped_norm` and
    `clipped_cosine` (by value, by norm). Random networks: "plain He signal" … (D,). Residual
    blocks: `blocks`, `x`, `branch`, `cosine`, `change` (R,), `classes`, `probabilities` (K,),
    `without` (R, K). Batch norm: `layers`, `distance`, `ratio` (L,); of the chosen one
    `batch_mean`, `batch_var`, `running_mean`, `running_var`, `gamma`, `beta` (C,). Dropout:
    `classes`, `probabilities`, `mean` (K,), `with_masks` (M, K), `masks` (M, n) bool.
    """
    match result:
        case FlowResult():
            found = flow.data(result)
        case RandomResult():
            found = random_nets.data(result)
        case BlockResult():
            found = blocks.data(result)
        case NormResult():
            found = batch_norm.data(result)
        case DropoutResult():
            found = dropout_masks.data(result)
    return {"show": params.show, **found}


VIEW = View(
    name="layer_statistics",
    title="Layer statistics",
    group=Group.INSIDE,
    summary="Activations and gradients per layer; initialization, residual blocks, batch norm, "
    "dropout.",
    explanation=EXPLANATION,
    reference="He et al. 2015, Delving Deep into Rectifiers, section 2.2",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
)
