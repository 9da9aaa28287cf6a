"""From the form to the methods of `explorer.vision.attribution`, and back to plain maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.views.inside.attribution import params as words
from explorer.views.inside.attribution.result import Map
from explorer.views.shared.common import default_layer
from explorer.vision.attribution import cam, faithfulness, gradients, masking
from explorer.vision.attribution.boxes import SimilarBox
from explorer.vision.attribution.lrp import lrp
from explorer.vision.attribution.maps import Attribution, at_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from explorer.engine.scene import Scene
    from explorer.views.inside.attribution.params import Params
    from explorer.views.inside.attribution.targets import Chosen
    from explorer.vision.attribution.lrp import Rule

MEASURES: tuple[faithfulness.Measure, ...] = ("deletion", "insertion", "ROAD")
POINTS = {"deletion": 20, "insertion": 20, "ROAD": 8}
"""Of a curve, beside the first one."""

ONE_PASS: dict[str, Callable[[Any, Tensor], Attribution]] = {
    words.GRADIENT: gradients.gradient,
    words.TIMES_INPUT: gradients.gradient_times_input,
    words.DECONVNET: gradients.deconvnet,
    words.GUIDED: gradients.guided_backprop,
}
OF_LAYER: dict[str, Callable[[Any, Tensor, str], Attribution]] = {
    words.GRAD_CAM: cam.grad_cam,
    words.PLUS_PLUS: cam.grad_cam_plus_plus,
    words.LAYER_CAM: cam.layer_cam,
    words.EIGEN_CAM: cam.eigen_cam,
}


class Run:
    """All methods for one target; lives on the runner's thread."""

    def __init__(self, scene: Scene, params: Params, chosen: Chosen) -> None:
        self._scene, self._params, self._chosen = scene, params, chosen
        self._values = scene.input()
        self._found: dict[str, Attribution] = {}

    # -- maps -------------------------------------------------------------------------------------

    def total(self, method: str) -> int:
        """Passes, in the units in which the method counts its progress."""
        params = self._params
        match method:
            case words.SMOOTH_GRAD:
                return params.samples
            case words.INTEGRATED:
                return params.steps
            case words.OCCLUSION:
                size = int(self._values.shape[-2]), int(self._values.shape[-1])
                grid = masking.windows(size, *self._window())
                return len(grid.xs) * len(grid.ys)
            case words.RISE | words.D_RISE:
                return params.masks
            case words.SCORE_CAM:
                return params.most
            case _:
                return 1

    def maps(self, method: str) -> Iterator[tuple[Map, Attribution | None]]:
        """The map of a method as it grows; one with a sentence in its place where it fails."""
        if self._chosen.blind and method not in words.MASKED:
            note = "It needs a gradient, which this detector's boxes do not have here."
            yield Map(method, note=note), None
            return
        layer = ""
        try:
            if method in words.CAMS:
                layer = self._cam_layer()
            for found in self._steps(method, layer):
                self._found[method] = found
                yield self._plain(method, found, layer), found
        except ExplorerError as error:
            self._found.pop(method, None)
            yield Map(method, note=str(error)), None

    def _steps(self, method: str, layer: str) -> Iterator[Attribution]:
        params, target, values = self._params, self._chosen.target, self._values
        if method in ONE_PASS:
            return iter((ONE_PASS[method](target, values),))
        if method in OF_LAYER:
            return iter((OF_LAYER[method](target, values, layer),))
        match method:
            case words.LRP:
                through = None
                if params.through is not None:
                    below = params.through_layer or default_layer(self._scene.network.info)
                    through = below, params.through
                rule: Rule = "epsilon" if params.rule == words.EPSILON else "composite"
                return iter((lrp(target, values, rule=rule, through=through),))
            case words.SMOOTH_GRAD:
                return gradients.smooth_grad(
                    target, values, samples=params.samples, noise=params.noise,
                    generator=self._scene.generator(),
                )  # fmt: skip
            case words.INTEGRATED:
                return gradients.integrated_gradients(
                    target, values, self.baseline(), steps=params.steps
                )
            case words.SCORE_CAM:
                return cam.score_cam(target, values, layer, self.baseline(), most=params.most)
            case words.OCCLUSION:
                patch, stride = self._window()
                return masking.occlusion(
                    target, values, self.baseline(), patch=patch, stride=stride
                )
            case _:
                return self._rise(method)

    def _window(self) -> tuple[int, int]:
        """Side and stride of the occlusion's window, in pixels of the input."""
        params, shorter = self._params, min(self._values.shape[-2:])
        return (
            max(1, round(params.patch * shorter / 100)),
            max(1, round(params.stride * shorter / 100)),
        )

    def _rise(self, method: str) -> Iterator[Attribution]:
        params, target = self._params, self._chosen.target
        if method == words.D_RISE:
            if self._chosen.similar is None:
                raise ExplorerError("It explains boxes.", "Choose a box as the target.")
            target = SimilarBox.of(
                self._scene.network.module, self._values[0], self._chosen.similar
            )
        return masking.rise(
            target, self._values, self.baseline(), masks=params.masks, cells=params.cells,
            share=params.visible, generator=self._scene.generator(),
        )  # fmt: skip

    def _cam_layer(self) -> str:
        named = self._params.cam_layer
        if named in self._scene.network.info.layer_names():
            return named
        key = ("layer of the CAMs", self._chosen.key, tuple(self._values.shape))
        return self._scene.network.memo(
            key, lambda: cam.cam_layer(self._chosen.target, self._values)
        )

    def baseline(self) -> Tensor:
        """(1, C, H, W) in the place of what is hidden."""
        values, network = self._values, self._scene.network
        if self._params.baseline == words.BLURRED:
            return faithfulness.blurred(values)
        if self._params.baseline == words.BLACK:
            height, width = values.shape[-2:]
            black = network.preprocess.fed(np.zeros((height, width, 3), np.uint8))
            return black.to(values)
        return values.mean((2, 3), keepdim=True).expand_as(values)

    def _plain(self, method: str, found: Attribution, layer: str) -> Map:
        rows, columns = found.values.shape
        frame = self._scene.frame.then(found.frame)
        gap = None
        if found.gap is not None:
            whole = float(found.values.double().sum()) + found.gap
            gap = found.gap / whole if whole else 0.0
        values = found.values.float().cpu().numpy().copy()
        note = found.note if values.any() else f"It is zero everywhere. {found.note}".rstrip()
        return Map(
            method, values, frame.inverse().extent(float(columns), float(rows)), found.done,
            found.total, note, layer, gap,
        )  # fmt: skip

    # -- faithfulness -----------------------------------------------------------------------------

    @property
    def measured(self) -> list[tuple[faithfulness.Measure, str]]:
        """What there is to measure: every measure of every map."""
        return [(measure, method) for method in self._found for measure in MEASURES]

    def curve(self, measure: faithfulness.Measure, method: str) -> Iterator[tuple[float, ...]]:
        """Confidences as far as they are known."""
        size = int(self._values.shape[-2]), int(self._values.shape[-1])
        found = faithfulness.curve(
            measure, self._chosen.target, self._values, at_pixels(self._found[method], size),
            self.baseline(), steps=POINTS[measure], generator=self._scene.generator(),
        )  # fmt: skip
        return (tuple(values) for values in found)
