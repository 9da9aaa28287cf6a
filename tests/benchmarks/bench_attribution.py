"""Grad-CAM frame by frame against a bare loop of the same network, and what it points at.

Run it by name: ``pytest tests/benchmarks/bench_attribution.py -s``. The bare loop is what anyone
would write: preprocessing, one forward pass with a hook on the last maps, the gradient back to
them, their weighted sum as an array. Both take turns in one run, on one thread.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from explorer.core.network_info import NetworkSpec
from explorer.engine.engine import Engine
from explorer.engine.scene import Moment, Scene
from explorer.images.image import from_array, open_image
from explorer.networks.network import Network
from explorer.views.inside.attribution.params import GRAD_CAM, Params
from explorer.views.inside.attribution.view import VIEW
from explorer.vision.attribution.cam import cam_layer, grad_cam
from explorer.vision.attribution.faithfulness import points_at
from explorer.vision.attribution.maps import at_pixels
from explorer.vision.attribution.targets import ClassTarget
from tests.data import shared_data
from tests.steps import finish

pytestmark = pytest.mark.benchmark

FRAMES, ROUNDS = 12, 7
LEAST_RATIO = 0.9
PHOTOS = 20
LEAST_POINTED = 15
WORDS = {"tv": "television", "cell phone": "cellular telephone", "couch": "studio couch"}
"""COCO's names that WordNet has another word for."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lite0() -> Network:
    network, _ = finish(Engine().network(NetworkSpec("efficientnet-lite0", device="cpu")))
    return network


def bare(network: Network, pixels: np.ndarray[Any, Any], layer: str) -> np.ndarray[Any, Any]:
    values = network.preprocess(pixels)
    taken: list[Tensor] = []

    def take(_module: Any, _inputs: Any, output: Tensor) -> Tensor:
        taken.append(output.detach().requires_grad_())
        return taken[0].clone()

    handle = network.module.get_submodule(layer).register_forward_hook(take)
    try:
        logits = network.module(values)
        (slope,) = torch.autograd.grad(logits.max(), taken)
    finally:
        handle.remove()
    weights = slope.mean((2, 3), keepdim=True)
    found: np.ndarray[Any, Any] = (weights * taken[0].detach()).sum(1).clamp(min=0)[0].numpy()
    return found


def test_a_camera_at_the_rate_of_the_bare_loop() -> None:
    """Goal: at least 0.9 frames for every frame of the bare loop, the drawing included."""
    network = lite0()
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (480, 640, 3), np.uint8) for _ in range(FRAMES)]
    params = Params(methods=(GRAD_CAM,))
    memory: dict[str, Any] = {}

    def ours(number: int) -> np.ndarray[Any, Any]:
        moment = Moment(number, number / 30, memory)
        scene = Scene(network, from_array(frames[number], "camera"), 0, moment)
        (step,) = VIEW.compute(scene, params)
        VIEW.draw(step.value, params)
        values: np.ndarray[Any, Any] = step.value.maps[0].values
        return values

    @torch.no_grad()
    def forward(number: int) -> None:
        network.module(network.preprocess(frames[number]))

    layer = cam_layer(ClassTarget(network.module), network.preprocess(frames[0]))
    np.testing.assert_allclose(ours(0), bare(network, frames[0], layer), rtol=1e-4, atol=1e-6)
    ratios, plain = [], []
    for _ in range(ROUNDS):
        spent = []
        for work in (
            lambda number: bare(network, frames[number], layer),
            ours,
            forward,
        ):
            began = time.process_time()
            for number in range(FRAMES):
                work(number)
            spent.append(time.process_time() - began)
        ratios.append(spent[0] / spent[1])
        plain.append(spent[2] / spent[1])
    ratio = statistics.median(ratios)
    print(
        f"\nGrad-CAM of {layer}: {ratio:.3f} x the bare loop, "
        f"{statistics.median(plain):.3f} x forward passes alone"
    )
    assert ratio >= LEAST_RATIO


def photos_with_boxes(network: Network, folder: Path) -> Iterator[tuple[Path, Tensor, str]]:
    """Photos whose top class is of a COCO category that has a box on it, in the order of names.

    The class is of a category when the category's name is a word on its way down the tree of
    words. Boxes are (N, 4) in pixels of the photo.
    """
    truth = json.loads((folder / "instances.json").read_text())
    names = {entry["id"]: entry["name"] for entry in truth["categories"]}
    info = network.info
    for image in sorted(truth["images"], key=lambda entry: entry["file_name"]):
        path = folder / "images" / image["file_name"]
        with torch.no_grad():
            logits = network.module(network.preprocess(open_image(path).pixels))
        way = {word.lower() for word in info.class_paths[int(logits.argmax())]}
        boxes: dict[str, list[list[float]]] = {}
        for entry in truth["annotations"]:
            if entry["image_id"] == image["id"]:
                x, y, width, height = entry["bbox"]
                of_class = boxes.setdefault(names[entry["category_id"]], [])
                of_class.append([x, y, x + width, y + height])
        for name, found in boxes.items():
            if WORDS.get(name, name) in way:
                yield path, torch.tensor(found), name
                break


def test_grad_cam_points_at_the_object() -> None:
    """The pointing game (Zhang et al. 2016) over the first twenty photos, without tolerance."""
    folder = shared_data("coco-mini")
    if folder is None:
        pytest.skip("needs coco-mini")
    network = lite0()
    hits, middles, count = 0, 0, 0
    for path, boxes, name in photos_with_boxes(network, folder):
        scene = Scene(network, open_image(path))
        values = scene.input()
        target = ClassTarget(network.module)
        found = grad_cam(target, values, cam_layer(target, values))
        inside = torch.from_numpy(scene.frame.boxes(boxes.numpy()))
        size = (int(values.shape[-2]), int(values.shape[-1]))
        hit = points_at(at_pixels(found, size), inside)
        middle = torch.zeros(size)
        middle[size[0] // 2, size[1] // 2] = 1.0
        hits, middles, count = hits + hit, middles + points_at(middle, inside), count + 1
        print(f"{path.name} {name}: {hit}")
        if count == PHOTOS:
            break
    print(f"\npointing game: {hits} of {count}; the middle of the input: {middles}")
    assert count == PHOTOS
    assert hits >= LEAST_POINTED
