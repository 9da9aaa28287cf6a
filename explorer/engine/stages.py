"""Results of the methods in `explorer.vision` that a scene keeps: each is computed once.

The methods take modules, tensors and a `Frame`; here they get those of a scene.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.engine.scene import TRACE, checked
from explorer.vision.detection.roi_head import layer_maps, pooled_maps, run_head
from explorer.vision.features.activations import layer_input, layers_read, recorded_activation
from explorer.vision.features.receptive_field import fields
from explorer.vision.trace import TwoStage, traced
from explorer.vision.trace.answers import answers_of, own_answers, own_suppression
from explorer.vision.trace.mask_branch import branch_layers, branch_of

if TYPE_CHECKING:
    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame
    from explorer.vision.detection.roi_head import HeadAnswer, RoiMaps
    from explorer.vision.features.activations import Activation, LayerInput
    from explorer.vision.features.receptive_field import Fields
    from explorer.vision.trace import Nms, Trace
    from explorer.vision.trace.mask_branch import MaskBranch
    from explorer.vision.trace.parts import AnchorAnswers


def trace_of(scene: Scene) -> Trace:
    """The trace of the scene's network on its photo.

    Raises:
        ExplorerError: When the network is not one of torchvision's detectors, or its output is not
            finite.
    """
    return scene.memo(TRACE, lambda: _trace(scene))


def _trace(scene: Scene) -> Trace:
    with scene.recording():
        found = traced(scene.network.module, scene.input()[0], scene.frame)
    # A detector drops scores that are NaN without a word: its logits say it.
    checked(
        [found.rpn.objectness, found.roi.logits] if isinstance(found, TwoStage) else found.logits
    )
    scene.memo("output", lambda: checked(found.output))
    return found


def anchor_answers_of(scene: Scene) -> AnchorAnswers:
    """The outputs for every anchor of the scene's network; `frame` is from the photo.

    Raises:
        ExplorerError: When the network has no anchors that can be followed.
    """
    return scene.memo("anchor answers", lambda: _anchor_answers(scene))


def _anchor_answers(scene: Scene) -> AnchorAnswers:
    own = own_answers(scene.network.module, scene.shown(scene.input()), scene.frame)
    return answers_of(trace_of(scene)) if own is None else own


def own_suppression_of(scene: Scene) -> tuple[Frame, Nms] | None:
    """The suppression of a detector that is none of torchvision's, and the frame of its boxes.

    The frame is from the photo. None when the network has none: its trace may.
    """
    return scene.memo(
        "suppression",
        lambda: own_suppression(scene.network.module, scene.shown(scene.input()), scene.frame),
    )


def activation_of(
    scene: Scene, layer: str, *, call: int = 0, part: int = 0, item: int = 0
) -> Activation:
    """What `layer` gave for the scene's photo; `call`, `part` and `item` as in `activation`.

    Raises:
        ExplorerError: When the layer is unknown, was not called, or gave no tensor.
    """
    records = scene.records(*layers_read(scene.network.module, layer))
    height, width = scene.input().shape[-2:]
    return recorded_activation(
        records, layer, (height, width), scene.frame, call=call, part=part, item=item
    )


def layer_input_of(scene: Scene, layer: str, *, call: int = 0) -> LayerInput:
    """What `layer` was given for the scene's photo; nothing behind it is computed.

    Raises:
        ExplorerError: When the layer is unknown, was not called, or was given no tensor.
    """
    return scene.memo(
        ("layer input", layer, call),
        lambda: layer_input(
            scene.network.module, scene.shown(scene.input()), layer, frame=scene.frame, call=call
        ),
    )


def fields_of(scene: Scene) -> Fields:
    """The theoretical receptive fields of all layers; the same for all photos of one size."""
    size = tuple(scene.input().shape)
    return scene.network.memo(
        ("receptive fields", size),
        lambda: fields(scene.network.module, scene.shown(scene.input())),
    )


def pooled_maps_of(scene: Scene) -> RoiMaps:
    """The maps that the second stage of the scene's detector cuts its proposals from.

    Raises:
        ExplorerError: When the network is no two-stage detector of torchvision's kind.
    """
    return scene.memo("roi maps", lambda: pooled_maps(trace_of(scene)))


def layer_maps_of(scene: Scene, layer: str) -> RoiMaps:
    """The output of any layer, as one map.

    Raises:
        ExplorerError: When the layer is unknown or its cells are no places of the photo.
    """
    return scene.memo(
        ("roi maps", layer), lambda: layer_maps(activation_of(scene, layer), layer, scene.frame)
    )


def head_answer_of(scene: Scene, box: Float32) -> HeadAnswer:
    """The outputs of the detector's second stage for one box.

    Args:
        scene: Of a two-stage detector.
        box: (4,) float32 in pixels of the network's transformed image, as a proposal is.

    Raises:
        ExplorerError: When the network is no two-stage detector of torchvision's kind.
    """
    return run_head(scene.network.module, trace_of(scene), box)


def mask_branch_of(scene: Scene) -> MaskBranch:
    """What the mask branch of the scene's detector computed, in the forward pass of its trace.

    Raises:
        ExplorerError: When the network has no mask branch.
    """
    return scene.memo("mask branch", lambda: _mask_branch(scene))


def _mask_branch(scene: Scene) -> MaskBranch:
    layers = branch_layers(scene.network.info.layer_names())
    with scene.recording(*layers):
        trace = trace_of(scene)
    records = scene.records(*layers)
    return branch_of(scene.network.module, trace, {name: records[name] for name in layers})
