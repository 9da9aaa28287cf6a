"""From a scene to the view's result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from explorer.core.errors import ExplorerError
from explorer.engine.scene import Scene
from explorer.engine.stages import activation_of, fields_of
from explorer.views.inside.feature_maps.params import CLAMPED, NOTHING, TOP
from explorer.views.inside.feature_maps.result import (
    Beside,
    Fields,
    Knocked,
    Maps,
    Result,
    Weights,
)
from explorer.views.shared.before_after.outputs import prediction_of
from explorer.views.shared.common import class_name, default_layer, photo_of
from explorer.vision.channels.colors import pca_colors
from explorer.vision.channels.order import class_weights
from explorer.vision.channels.replacing import channel_set
from explorer.vision.channels.values import Limits
from explorer.vision.features.classification import logits_of
from explorer.vision.features.mosaics import Statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import TypeVar

    from explorer.views.inside.feature_maps.params import Params
    from explorer.vision.channels.colors import Colored

    T = TypeVar("T")

LEAST_COLORED = 4
"""Cells that a picture of principal components has at least."""


def result_of(scene: Scene, params: Params) -> Result:
    """All but the receptive fields."""
    layer = params.layer or default_layer(scene.network.info)
    which = {"call": params.call, "part": params.part, "item": params.item}
    key = (layer, *which.values())
    maps = _kept(scene, "maps", key, lambda: _maps(scene, layer, which))
    notes: list[str] = []
    colored = None
    if params.colors:
        colored = _kept(scene, "colors", key, lambda: _colored(maps))
    return Result(
        photo=photo_of(scene),
        maps=maps,
        colored=colored,
        weights=_weights(scene, maps, params.of),
        beside=_beside(scene, params, layer, which),
        knocked=_knocked(scene, params, maps, notes),
        notes=tuple(notes),
    )


def known_fields(scene: Scene) -> dict[str, Fields | None]:
    """What `fields_for` has given for the scene, by layer."""
    return scene.memo(("feature maps", "fields"), dict)


def fields_for(scene: Scene, result: Result) -> Fields | None:
    """The receptive fields of the layer's cells at its first call, if these are places."""
    found = fields_of(scene)
    cells = found.layers.get(result.maps.layer)
    if cells is None or not cells.spatial:
        return None
    return Fields(cells, scene.frame.then(found.frame))


def _kept(scene: Scene, name: str, key: Hashable, make: Callable[[], T]) -> T:
    """What `make()` gave for the layer that was asked for last: its maps may be large."""
    kept: dict[Hashable, T] = scene.memo(("feature maps", name), dict)
    if key not in kept:
        kept.clear()
        kept[key] = make()
    return kept[key]


def _maps(scene: Scene, layer: str, which: dict[str, int]) -> Maps:
    answer = activation_of(scene, layer, **which)
    limits = Limits.of(dict(scene.network.module.named_modules())[layer])
    values = answer.values
    return Maps(layer, answer, Statistics.of(values), limits.saturated(values))


def _colored(maps: Maps) -> Colored | None:
    if maps.answer.frame is None or maps.values[0].size < LEAST_COLORED or maps.count < 2:
        return None
    return pca_colors(maps.values)


def _weights(scene: Scene, maps: Maps, of: str) -> Weights | None:
    info = scene.network.info
    if info.task != "classification":
        return None
    try:
        logits = logits_of(scene.output())
    except ExplorerError:  # a classifier without one score per class, or an output of NaN
        return None
    key = (maps.layer, maps.answer.call, maps.answer.part, maps.answer.item)
    found = _kept(
        scene, "weights", key, lambda: class_weights(scene.network.module, maps.values, logits)
    )
    if found is None:
        return None
    index = int(logits.argmax()) if of in (TOP, "") else info.classes.index(of)
    return Weights(class_name(info.classes, index), found[index])


def _beside(scene: Scene, params: Params, layer: str, which: dict[str, int]) -> Beside | None:
    """The same layer on another photo, or a layer of another network, or both."""
    if params.second is None and params.other_network is None:
        return None
    image = scene.image if params.second is None else scene.image_of(params.second)
    network = (
        scene.network if params.other_network is None else scene.network_of(params.other_network)
    )
    words = "on the other photo"
    if params.other_network is not None:
        layer = params.other_layer or layer
        if layer not in network.info.layer_names() and not params.other_layer:
            layer = default_layer(network.info)
        words = f"of {network.info.title}, {layer}"
    other = Scene(network, image, scene.seed)
    key = (params.second, params.other_network, layer, *which.values())
    answer = _kept(scene, "beside", key, lambda: activation_of(other, layer, **which))
    return Beside(photo_of(other), answer, words)


@torch.no_grad()
def _knocked(scene: Scene, params: Params, maps: Maps, notes: list[str]) -> Knocked | None:
    """The prediction with the channel set to a number."""
    if params.change == NOTHING:
        return None
    if scene.network.info.task == "features":
        notes.append("This network has no head: there is no prediction that could change.")
        return None
    channel = maps.most_telling if params.channel is None else min(params.channel, maps.count - 1)
    value = params.clamp if params.change == CLAMPED else 0.0
    answer, values = maps.answer, scene.input()
    size = (int(values.shape[-2]), int(values.shape[-1]))
    before = prediction_of(scene, scene.output())
    with channel_set(
        scene.network.module, maps.layer, channel, value, source=size, call=answer.call,
        part=answer.part,
    ):  # fmt: skip
        output = scene.call(values)
    return Knocked(channel, value, before, prediction_of(scene, output))
