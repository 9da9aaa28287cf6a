"""All channels of any layer as one mosaic, and one of them over the photo."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.inside.feature_maps.charts import channel_table, feature_vector, histogram
from explorer.views.inside.feature_maps.computing import fields_for, known_fields, result_of
from explorer.views.inside.feature_maps.mosaic import mosaic_pane
from explorer.views.inside.feature_maps.panes import (
    color_pane,
    image_pane,
    pinned,
    pinned_pane,
    second_pane,
)
from explorer.views.inside.feature_maps.params import MAPS, Params
from explorer.views.shared.before_after.changes import Look, change_of
from explorer.views.shared.common import size_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.engine.scene import Scene
    from explorer.views.inside.feature_maps.result import Cell, Knocked, Result
    from explorer.views.shared.before_after.changes import Change
    from explorer.vision.features.activations import Activation

EXPLANATION = r"""
Every layer turns its input into a stack of **feature maps**, one per channel. Channel $k$ of a
convolution, at position $(i, j)$, is the response of one filter to the patch of its input $x$
around that position:

$$ z_{kij} = b_k + \sum_{c, u, v} w_{kcuv} \; x_{cmn} $$

$$ m = si + u - p \qquad n = sj + v - p $$

with weights $w$, bias $b$, stride $s$ and padding $p$; the sum runs over the input channels $c$ and
the rows $u$ and columns $v$ of the filter.

**The mosaic** shows all channels of the chosen layer. *Each channel* stretches every map from its
own minimum to its own maximum, so that weak channels are visible, too, but brightness cannot be
compared between tiles; *shared* uses one scale for all; *around zero* puts zero in the middle of
the scale (with the coolwarm colormap, blue is negative). The raw minimum and maximum of every
channel are in the table. *Gamma* below 1 makes low values brighter. *Histograms* shows how the
values of each channel are distributed, from the minimum at the left to the maximum at the right.

**Click a tile** (or a row of the table): that channel is overlaid on the photo with its raw values,
every cell over its position. The arrow keys go on to the next tile. **Move the mouse** over either
picture: the same position is marked in both, the plot shows the values of all channels there, the
feature vector of the position, and the blue frame on the photo is the cell's receptive field.

Early layers respond to edges and colors, later ones to parts and objects, on coarser grids. A
channel is called **dead** if it is nowhere above zero, or constant: after a ReLU it carries no
information for this photo. It is **saturated** if more than half of its cells are at the limit of a
bounded activation function (6 for ReLU6, 1 for a sigmoid, -1 and 1 for tanh).

**Order.** *Similarity* puts maps with the same pattern side by side. *Class weight* is for the
layer before the global average pooling of a classifier: there the logit of class $k$ is a weighted
sum of the channels' means, and the table has both the weight and its product with the mean.

$$ z_k = b_k + \sum_c w_{kc} \, \overline{m}_c $$

**Principal components** shows all channels in one picture: the first three components of the
feature vectors as red, green and blue, so that cells with similar vectors have similar colors.

**Change the channel.** *Knock out* sets the chosen channel to 0 in all cells, *clamp* to a number,
and the layers behind it compute with that: the table has the prediction before and after. A channel
that a class depends on lowers its logit when it is knocked out; most single channels change little.

**Compare with** another photo or another network: the channel of the same number is overlaid with
the same scale, so that equal colors mean equal activations. *Pinned channels* (their numbers) stand
side by side, those of the other photo or network below them.

**Alignment.** A feature map covers the whole input of the network. Detectors first resize the photo
and pad it at the right and the bottom to a multiple of 32; their maps extend beyond the photo by
the padding.

**Sources.** Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*;
Yosinski et al. 2015, *Understanding Neural Networks Through Deep Visualization*; Zhou et al. 2016,
*Learning Deep Features for Discriminative Localization* (class weights); Morcos et al. 2018, *On
the Importance of Single Directions for Generalization* (knocking out a channel); Oquab et al. 2024,
*DINOv2* (principal components as colors).
"""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    result = result_of(scene, params)
    if not params.field or result.answer.frame is None:
        yield Step(result)
        return
    known = known_fields(scene)
    if result.maps.layer not in known:
        yield Step(result, 1, 2, "receptive fields")
        known[result.maps.layer] = fields_for(scene, result)
    yield Step(replace(result, fields=known[result.maps.layer]), 2, 2)


def draw(result: Result, params: Params) -> Board:
    maps = result.maps
    channel = result.channel(params.channel)
    cell = _cell(result, params)
    order = result.order(params.sort)
    panes = [image_pane(result, params, channel, cell)]
    if result.beside is not None:
        panes.append(second_pane(result, result.beside, params, channel))
    panes += color_pane(result)
    panes.append(mosaic_pane(result, params, channel, cell))
    panes += pinned_pane(result, params)
    plots = [maps.cache.get(("histogram", channel), lambda: histogram(maps.values, channel))]
    if cell is not None or maps.values[0].size == 1:
        plots.insert(0, feature_vector(maps.values, cell))
    weights = None if result.weights is None else result.weights.name
    key = ("table", order.tobytes(), weights)
    tables = [maps.cache.get(key, lambda: channel_table(result, order))]
    change = _change(result)
    summary = [maps.title, *_states(result)]
    if change is not None and result.knocked is not None:
        tables.insert(0, change.table)
        plots = [*change.plots, *plots]
        summary.append(f"{_words(result.knocked)}: {change.words}")
    return Board(
        panes=tuple(panes),
        plots=tuple(plots),
        tables=tuple(tables),
        summary=" · ".join(summary),
        notes=(*_notes(maps.answer), *result.notes, *_refused(result, params)),
        idle=_idle(maps.answer),
    )


def _change(result: Result) -> Change | None:
    """What changes in the prediction when the channel does."""
    knocked = result.knocked
    if knocked is None:
        return None
    return change_of(knocked.before, knocked.after, Look(), size_of(result.photo))


def _words(knocked: Knocked) -> str:
    if knocked.value == 0:
        return f"channel {knocked.channel} knocked out"
    return f"channel {knocked.channel} at {knocked.value:g}"


def _states(result: Result) -> list[str]:
    """How many channels are dead and saturated."""
    counts = {"dead": result.statistics.dead, "saturated": result.maps.saturated}
    return [f"{int(which.sum())} {word}" for word, which in counts.items() if which.any()]


def _cell(result: Result, params: Params) -> Cell | None:
    """Row and column under the mouse, in whichever pane it is."""
    if params.at_map is not None and params.show == MAPS:
        place = result.maps.tiling.at(params.at_map.x, params.at_map.y)
        return None if place is None else place[1:]
    return None if params.at is None else result.maps.cell(params.at.x, params.at.y)


def _idle(answer: Activation) -> tuple[str, ...]:
    """The parameters that have nothing to choose from: most layers run once, with one output."""
    counts = {"call": answer.calls, "part": len(answer.parts), "item": answer.items}
    return tuple(name for name, count in counts.items() if count <= 1)


def _notes(answer: Activation) -> tuple[str, ...]:
    notes = []
    if answer.calls > 1:
        notes.append(f"The network calls this layer {answer.calls} times; this is {answer.call}.")
    if len(answer.parts) > 1:
        names = ", ".join(answer.parts[:8])
        notes.append(f"It has {len(answer.parts)} outputs ({names}); this is {answer.part}.")
    if answer.items > 1:
        notes.append(f"Its batch holds {answer.items} entries; this is {answer.item}.")
    if not np.isfinite(answer.values).all():
        notes.append("Some of its values are not finite; they are not drawn.")
    return tuple(notes)


def _refused(result: Result, params: Params) -> tuple[str, ...]:
    """What was asked for and is not shown."""
    notes = [result.refused(params.sort)]
    _, wrong = pinned(params, result.maps.count)
    if wrong:
        last = result.maps.count - 1
        notes.append(f"Not pinned: {', '.join(wrong)}. The channels of this layer are 0 to {last}.")
    return tuple(note for note in notes if note)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The whole answer.

    Keys: `activation` (C, h, w) float32, `layer`, `shape` of the layer's own tensor, `dead` and
    `saturated` (C,) bool, `order` (C,) the channels as their tiles stand, and `extent` (x0, y0, x1,
    y1 of the maps in the photo's pixels) where cells are places of the photo; `components` (h, w,
    3) uint8 of the principal components and their `variance` (3,); `second_activation` of the photo
    or network that it is compared with; with a changed channel the `change_columns` and
    `change_rows` of the table.
    """
    answer = result.answer
    found: dict[str, Any] = {
        "activation": answer.values,
        "layer": result.maps.layer,
        "shape": answer.shape,
        "dead": result.statistics.dead,
        "saturated": result.maps.saturated,
        "order": result.order(params.sort),
    }
    if answer.frame is not None:
        height, width = answer.values.shape[1:]
        found["extent"] = answer.frame.inverse().extent(width, height)
    if result.colored is not None:
        found |= {"components": result.colored.rgb, "variance": result.colored.ratios}
    if result.beside is not None:
        found["second_activation"] = result.beside.answer.values
    change = _change(result)
    if change is not None:
        found |= {"change_columns": change.table.columns, "change_rows": change.table.rows}
    return found


VIEW = View(
    name="feature_maps",
    title="Feature maps",
    group=Group.INSIDE,
    summary="All channels of any layer as one mosaic, and one of them overlaid on the photo.",
    explanation=EXPLANATION,
    reference="Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
