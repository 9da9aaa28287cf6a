"""Scenes for any view of the contract tests, with what its parameters name opened."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from explorer.core.network_info import NetworkInfo
from explorer.core.params import FolderRef, ImageRef, NetworkRef, Parameter
from explorer.engine.engine import Engine
from explorer.engine.references import Opened, Photos, named, spec_of
from explorer.engine.scene import Moment, Scene
from explorer.engine.view import View
from explorer.images.image import Image
from explorer.networks.network import Network
from tests.evaluation.sets import GREEN, RED, filled, mask_set, picture, pose_set
from tests.steps import finish
from tests.toys import (
    toy_image,
    toy_keypoint_network,
    toy_mask_network,
    toy_network,
    toy_single_stage_network,
    toy_yolo_network,
)
from tests.training.tuning.own_folders import tunable_network

NO_NETWORK = "none"
"""Stands for the task where a view needs no network."""
TASKS = ("classification", "localization", "detection", "segmentation", "pose", "features")
TOY = NetworkRef("toy")
"""Opened as a toy of a task that the parameter takes; any other one is the catalog's."""


def tasks_of(view: View[Any, Any]) -> tuple[str, ...]:
    """The tasks to try a view with."""
    if not view.needs.network:
        return (NO_NETWORK,)
    return tuple(task for task in TASKS if view.suits(task))


def scene_for(
    view: View[Any, Any],
    task: str,
    params: Any = None,
    image: Image | None = None,
    moment: Moment | None = None,
) -> Scene:
    """What the engine would give: nothing that the view says it does not need."""
    network = _own(view, task) if view.needs.network else None
    photo = (image or toy_image()) if view.needs.photo else None
    scene = Scene(network, photo, seed=3, moment=moment)
    scene.opened = opened_for(view, params or asked_of(view, task), info_of(scene))
    return scene


def _own(view: View[Any, Any], task: str) -> Network:
    """The toy of the task; for a view that takes some networks of a task only, one of those."""
    some = {
        "fine_tune": tunable_network,
        "keypoints": toy_keypoint_network,
        "instances": toy_mask_network,
        "yolo_desk": toy_yolo_network,
        "ssd_desk": toy_single_stage_network,
    }
    return some[view.name]() if view.name in some else toy_network(task)


def asked_of(view: View[Any, Any], task: str) -> Any:
    """The view's defaults, and a data set for a view that evaluates."""
    if view.job is None or view.name == "unfreeze":  # it has a set of its own
        return view.Params()
    return view.Params(folder=FolderRef(str(data_set(task))))


@functools.cache
def data_set(task: str) -> Path:
    """A few photos whose right answers are known in the words of the toy network of `task`."""
    root = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    if task == "segmentation":
        mask_set(root)
    elif task == "detection":
        picture(root / "JPEGImages" / "p.png", (RED, (5, 5, 25, 25)))
        (root / "Annotations").mkdir()
        (root / "Annotations" / "p.xml").write_text(
            "<annotation><filename>p.png</filename><object><name>cat</name><bndbox><xmin>6</xmin>"
            "<ymin>6</ymin><xmax>25</xmax><ymax>25</ymax></bndbox></object></annotation>"
        )
    elif task == "pose":
        pose_set(root)
    else:
        for name, color in (("cat", RED), ("dog", GREEN)):
            filled(root / name / "a.png", color)
    return root


def info_of(scene: Scene) -> NetworkInfo | None:
    try:
        return scene.network.info
    except LookupError:  # the view needs none
        return None


_PHOTOS = Photos()


def opened_for(view: View[Any, Any], params: Any, info: NetworkInfo | None) -> Opened:
    wanted = named(view, params, info)
    networks = {ref: _network(ref, parameter) for ref, parameter in wanted.networks.items()}
    images: dict[ImageRef, Image] = {ref: _PHOTOS.get(ref) for ref in wanted.images}
    return Opened(networks, images)


def _network(ref: NetworkRef, parameter: Parameter | None) -> Network:
    if ref == TOY:
        tasks = sorted(parameter.meta.tasks) if parameter is not None else []
        return toy_network(tasks[0] if tasks else "classification")
    return _loaded(ref)


@functools.lru_cache(maxsize=8)
def _loaded(ref: NetworkRef) -> Network:
    network, _ = finish(Engine().network(spec_of(ref, None)))
    return network
