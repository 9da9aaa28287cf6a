"""Views of the inside on the frames of a camera, against the bare network on the same frames.

Run it by name: ``pytest tests/benchmarks/bench_what_if.py -s``. Both take turns in one run, on one
thread, so that processor time is what counts; a ratio of 1 means that the view costs nothing beside
the network. What-if edits need two passes for each frame, of the original and the edited one, and
so does their bare loop.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from explorer.core.network_info import NetworkSpec
from explorer.core.params import Mask, resolved
from explorer.engine.engine import Engine
from explorer.engine.scene import Moment, Scene
from explorer.engine.view import View
from explorer.images.image import Image, from_array
from explorer.images.samples import sample
from explorer.live.moving import MovingScene
from explorer.networks.network import Network
from explorer.views.inside.attribution.params import GRAD_CAM, GRADIENT
from explorer.views.inside.attribution.view import VIEW as ATTRIBUTION
from explorer.views.inside.kernels.view import VIEW as KERNELS
from explorer.views.inside.receptive_field.view import VIEW as FIELDS
from explorer.views.inside.what_if.params import BLUR, GRAY, INPAINT, TOOLS
from explorer.views.inside.what_if.view import VIEW as WHAT_IF
from explorer.views.shared.common import default_layer
from tests.steps import finish

pytestmark = pytest.mark.benchmark

NETWORKS = ("efficientnet-lite0", "lite-fasterrcnn")
FRAMES = 6
ROUNDS = 7
LEAST_RATIO = 0.9


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def frames() -> list[Image]:
    found = sample("motorcycle")
    assert found is not None
    scene = MovingScene(found.load().pixels, rate=10.0)
    return [from_array(scene.frame(number), "frame") for number in range(FRAMES)]


def strokes(image: Image) -> Mask:
    """A stroke of three kinds, a tenth of the frame in all."""
    index = np.zeros((image.height, image.width), np.uint8)
    high, wide = image.height // 5, image.width // 6
    for at, tool in enumerate((INPAINT, BLUR, GRAY)):
        x = wide + at * (wide + 10)
        index[high : 2 * high, x : x + wide] = TOOLS.index(tool) + 1
    return Mask.of(index)


@torch.no_grad()
def bare(network: Network, image: Image, passes: int) -> None:
    for _ in range(passes):
        scene = Scene(network, image)
        scene.call(scene.input())


def bare_gradient(network: Network, image: Image, layer: str = "", *, cam: bool = False) -> None:
    """The slope of the top class, or of the best box, or of a unit in the middle of a layer.

    With `cam` it is the slope of the class or the box with respect to the layer.
    """
    values = network.preprocess(image.pixels).requires_grad_()
    taken: list[torch.Tensor] = []
    handles = []
    if layer:
        hooked = network.module.get_submodule(layer)
        handles.append(hooked.register_forward_hook(lambda _m, _i, out: taken.append(out)))
    output = network.module(values if network.preprocess.batched else [values[0]])
    for handle in handles:
        handle.remove()
    target = (output if isinstance(output, torch.Tensor) else output[0]["scores"]).max()
    if taken and not cam:
        height, width = taken[0].shape[-2:]
        target = taken[0][0, :, height // 2, width // 2].max()
    torch.autograd.grad(target, taken[0] if cam else values)


def followed(view: View[Any, Any], network: Network, params: Any) -> Callable[[Image], None]:
    """The view on one frame after another, as the engine follows a camera.

    Drawing is not its work: the window does that meanwhile, on another thread.
    """
    memory: dict[str, Any] = {}
    numbers = iter(range(10**6))
    layers: list[frozenset[str]] = [frozenset()]

    def one(image: Image) -> None:
        scene = Scene(network, image, 0, Moment(next(numbers), 0.0, memory, layers[0]))
        for _ in view.compute(scene, params):
            pass
        layers[0] = frozenset(scene.asked)

    return one


def seconds(run: Callable[[Image], None], images: list[Image]) -> float:
    """Of processor time: what others do on the machine does not count."""
    start = time.process_time()
    for image in images:
        run(image)
    return time.process_time() - start


def compared(
    view: View[Any, Any], network: Network, params: Any, plainly: Callable[[Image], None]
) -> float:
    """Frames of the view for every frame of the bare loop."""
    images = frames()
    run = followed(view, network, params)
    seconds(run, images[:3])
    ratios = []
    for _ in range(ROUNDS):
        plain = seconds(plainly, images)
        ours = seconds(run, images)
        plain += seconds(plainly, images)
        ratios.append(plain / 2 / ours)
        print(f"\n{view.name}: {FRAMES / ours:.1f} frames a second, {ratios[-1]:.2f} x bare")
    return statistics.median(ratios)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("view", "passes"), [(WHAT_IF, 2), (KERNELS, 1)], ids=["what_if", "kernels"]
)
def test_follows_a_camera(view: View[Any, Any], passes: int, name: str) -> None:
    network, _ = finish(Engine().network(NetworkSpec(name, device="cpu")))
    params = resolved(view.Params(), network.info)
    if view is WHAT_IF:
        layer = network.info.default_layer
        params = replace(params, strokes=strokes(frames()[0]), layer=layer)
    assert compared(view, network, params, lambda image: bare(network, image, passes)) >= (
        LEAST_RATIO
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("what", ["receptive_field", GRADIENT, GRAD_CAM])
def test_gradients_follow_a_camera(what: str, name: str) -> None:
    """Each frame has a pass forward and one back: of a unit's field, of a class or of a box."""
    network, _ = finish(Engine().network(NetworkSpec(name, device="cpu")))
    view: View[Any, Any] = FIELDS if what == "receptive_field" else ATTRIBUTION
    layer = "" if what == GRADIENT else default_layer(network.info)
    asked = {
        "receptive_field": {"layer": layer},
        GRADIENT: {"methods": (GRADIENT,)},
        GRAD_CAM: {"methods": (GRAD_CAM,), "cam_layer": layer},
    }[what]
    params = resolved(view.Params(**asked), network.info)
    cam = what == GRAD_CAM
    ratio = compared(
        view, network, params, lambda image: bare_gradient(network, image, layer, cam=cam)
    )
    assert ratio >= LEAST_RATIO
