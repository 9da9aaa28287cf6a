"""Edit the photo and compare what the network predicts, beside the original."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import Board, Layer, Masks, Pane, Picture
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.stages import activation_of
from explorer.engine.view import Group, View
from explorer.views.inside.what_if.edit import edited
from explorer.views.inside.what_if.maps import Maps, channel_table, map_panes
from explorer.views.inside.what_if.params import NO_LAYER, Params
from explorer.views.shared.anchors import same
from explorer.views.shared.before_after.changes import Look, change_of
from explorer.views.shared.before_after.outputs import prediction_of
from explorer.views.shared.common import percent, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.views.inside.what_if.edit import Edited
    from explorer.views.shared.before_after.changes import Change
    from explorer.views.shared.before_after.outputs import Prediction
    from explorer.vision.features.activations import Activation

EXPLANATION = r"""
What does the prediction depend on? Change the photo and compare. The network runs on the original
$x$ and on the edited photo $x'$, and everything is shown side by side:

$$ \Delta = f(x') - f(x) $$

**The brush** paints on the original; the edited photo and all numbers follow while you paint.
Choose what it does under *Brush*: erase to **gray** or to the **mean color** of the photo, **blur**
with a Gaussian of the chosen size, or **inpaint**, which continues the surroundings into the
painted area. [ and ] change the size of the brush, E erases strokes, and Ctrl+Z takes back the last
stroke.

**Move or remove an object.** Drag a box around it on the edited photo: it is removed and its place
inpainted. Click where it goes, and it is put there, larger or smaller if you like. *GrabCut* cuts
the object out of its background instead of taking the whole box; or paint the object itself with
*object to move*. If its place is left *unchanged*, the object is copied.

**Paste from another photo.** Choose the photo, drag a box on it, and click where the part goes.

**Reading it.** The table has before, after and the difference. A classifier's probabilities add up
to one, so a class can win because another one has lost; the difference of the logit shows which of
them has moved. A detector's boxes are paired by their IoU: blue ones are kept, red ones are lost,
green ones are new, and orange ones have another class. For segmentation the table has the pixels of
each class and the IoU of both regions. The channels that change most are listed; their change is
the mean over the map, in standard deviations of the layer.

**A caution.** No edit is neutral. Gray and blurred areas have edges and textures that the training
photos did not have, and the network responds to those as well; inpainting is the gentlest of them.
Try two: if both have the same effect, it is the removed part that matters.

**Sources.** Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*, section
4.2 (occlusion); Fong and Vedaldi 2017, *Interpretable Explanations of Black Boxes by Meaningful
Perturbation* (which edit is neutral); Telea 2004, *An Image Inpainting Technique Based on the Fast
Marching Method*; Rother, Kolmogorov and Blake 2004, *GrabCut*.
"""

EDITED_COLOR = (255, 60, 170)
"""Of the outline around what was edited."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Both photos and the predictions for them.

    Attributes:
        photo: The original.
        edit: The edited photo.
        shown: It as a layer.
        other: The photo that a part is pasted from.
        before: The prediction for the original.
        after: For the edited photo.
        maps: Of the chosen layer; None without one, or where its maps cannot be compared.
        problem: Why there are none.
    """

    photo: Picture
    edit: Edited
    shown: Picture
    other: Picture | None
    before: Prediction
    after: Prediction
    maps: Maps | None
    problem: str = ""
    cache: DrawCache = field(default_factory=lambda: DrawCache(8))


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    yield Step(_result(scene, params))


@torch.no_grad()
def _result(scene: Scene, params: Params) -> Result:
    layer = params.layer or NO_LAYER
    first = _activation(scene, layer)  # before the output: one pass gives both
    before = scene.memo("prediction", lambda: prediction_of(scene, scene.output()))
    edit = edited(scene, params, before)
    image = replace(scene.image, pixels=edit.pixels, key="")
    again = Scene(scene.network, image, scene.seed)
    second = _activation(again, layer)
    after = prediction_of(again, again.output())
    maps, problem = None, ""
    if first is not None and second is not None:
        maps = Maps.of(layer, first, second)
        problem = "" if maps else f"{layer} has maps of another shape for the edited photo."
    other = None
    if params.other is not None:
        other = Picture(scene.image_of(params.other).pixels, name="other")
    shown = Picture(edit.pixels, name="edited")
    return Result(photo_of(scene), edit, shown, other, before, after, maps, problem)


def _activation(scene: Scene, layer: str) -> Activation | None:
    return None if layer == NO_LAYER else activation_of(scene, layer)


def draw(result: Result, params: Params) -> Board:
    look = Look(params.top, params.score, params.iou, params.opacity)
    size = size_of(result.photo)
    key = ("change", look)
    change = result.cache.get(key, lambda: change_of(result.before, result.after, look, size))
    panes = list(_photos(result, change))
    tables = [] if change is None else [change.table]
    if result.maps is not None:
        maps = result.maps
        panes += map_panes(maps, (result.photo, result.shown), params)
        tables.append(result.cache.get("channels", lambda: channel_table(maps)))
    notes = (*result.edit.notes, *((result.problem,) if result.problem else ()))
    return Board(
        panes=tuple(panes),
        plots=change.plots if change is not None else (),
        tables=tuple(tables),
        summary=_summary(result, change, params),
        notes=notes,
    )


def _photos(result: Result, change: Change | None) -> tuple[Pane, ...]:
    size = size_of(result.photo)
    before, after = ((), ()) if change is None else (change.before, change.after)
    outline = result.cache.get("outline", lambda: _outline(result.edit))
    first = Pane("image", size, (result.photo, *before), title="Original: paint here")
    layers: tuple[Layer, ...] = (result.shown, outline, *after)
    second = Pane("edited", size, layers, title="Edited")
    if result.other is None:
        return first, second
    third = Pane(
        "other", size_of(result.other), (result.other,), title="Paste from here", frame="other"
    )
    return third, first, second


def _outline(edit: Edited) -> Masks:
    index = np.where(edit.area, np.int32(0), np.int32(-1))
    return Masks(index, same(EDITED_COLOR, 1), ("edited",), opacity=0.0, name="edited area")


def _summary(result: Result, change: Change | None, params: Params) -> str:
    words = [f"{percent(float(result.edit.area.mean()))} of the photo edited"]
    if change is not None:
        words.insert(0, change.words)
    if result.maps is not None:
        channel = result.maps.channel(params.channel)
        far = float(result.maps.change[channel])
        words.append(f"{result.maps.layer}, channel {channel}: changes by {far:.2f} sd")
    return " · ".join(words)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The edited photo, and the table of the change.

    Keys: `edited` (H, W, 3) uint8, `area` (H, W) bool, what was edited; `columns` and `rows` of the
    table (empty for a network without a head); with a layer `layer`, `channel_change` (C,) float32
    in standard deviations of the layer, `activation` and `edited_activation` (C, h, w) float32.
    """
    look = Look(params.top, params.score, params.iou, params.opacity)
    change = change_of(result.before, result.after, look, size_of(result.photo))
    found: dict[str, Any] = {
        "edited": result.edit.pixels,
        "area": result.edit.area,
        "columns": () if change is None else change.table.columns,
        "rows": () if change is None else change.table.rows,
    }
    if result.maps is not None:
        found |= {
            "layer": result.maps.layer,
            "channel_change": result.maps.change,
            "activation": result.maps.before.values,
            "edited_activation": result.maps.after.values,
        }
    return found


VIEW = View(
    name="what_if",
    title="What if",
    group=Group.INSIDE,
    summary="Erase, blur, inpaint, paste or move parts of the photo: the predictions change.",
    explanation=EXPLANATION,
    reference="Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, "
    "section 4.2",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
)
