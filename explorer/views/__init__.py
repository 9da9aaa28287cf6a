"""The views: one file each, found by import; other packages add theirs through `explorer.views`."""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.listing import Listing, call_lists, either, renamed
from explorer.core.unavailable import Unavailable, sentence
from explorer.engine.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

GROUP = "explorer.views"
SHARED = "shared"
"""The package of what several views use; no view is in it."""

COURSE = (
    "classify", "localize", "detections", "tracks", "faces",
    "sliding_window", "hog", "hog_training", "dpm", "selective_search",
    "anchors", "anchor_sandbox", "rpn", "proposals", "roi_microscope", "nms",
    "lineage", "why_missed", "refinements", "recall_lab", "rcnn", "rcnn_training", "overfeat",
    "yolo_desk", "ssd_desk", "pipeline_race",
    "semantic", "instances", "mask_from_box", "keypoints", "pose_regression",
    "classifier_to_fcn", "decoder_bench",
    "network_graph", "layer_statistics", "kernels", "conv_arithmetic", "feature_maps",
    "receptive_field", "attribution", "what_if", "top_patches", "concepts", "similar_images",
    "transfer_probe",
    "deep_dream", "feedback_dream", "loss_composer", "activation_maximization", "feature_atlas",
    "inversion", "inversion_ladder", "neural_style", "adversarial", "transfer_matrix", "fooling",
    "semantic_sliders",
    "gan_training", "latent_space", "generative_models",
    "image_translation", "translation_training", "cycle_translation",
    "training_lab", "depth", "hyperparameter_search", "ensembles", "head_bench", "unfreeze",
    "fine_tune",
    "evaluation", "speed_accuracy",
)  # fmt: skip
"""The order in which views of a group are taught; those that are not named come after, by title."""

OLD_NAMES = {
    "nms_theatre": "nms",
    "ouroboros": "feedback_dream",
    "box_biography": "lineage",
    "localise": "localize",
}
"""Names of earlier versions, still understood in this one."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is: the views by name, and what could not be taken among them."""

    views: dict[str, View[Any, Any]] = field(default_factory=dict)
    unavailable: list[Unavailable] = field(default_factory=list)

    def take(self, view: object, name: str, origin: str) -> None:
        """Adds `view`; what is none, or has a name that is taken, is listed with the reason."""
        if not isinstance(view, View):
            self.refuse(name, origin, f"It gives a {type(view).__name__}, not a View.")
        elif view.name in self.views:
            self.refuse(view.name, origin, f"The name {view.name!r} is taken by another view.")
        else:
            self.views[view.name] = view

    def refuse(self, name: str, origin: str, reason: str) -> None:
        self.unavailable.append(Unavailable(name, origin, reason))


def discover() -> dict[str, View[Any, Any]]:
    """Every view by name; see `survey`."""
    return survey().views


def survey() -> Found:
    """Every view, by group and in each as they are taught, and what is unavailable.

    A module or a plug-in that fails is skipped, logged, and listed with its reason: one view must
    not take the others down. Of two views with one name the first keeps it.
    """
    found = Found()
    for name, module in modules(Path(__path__[0])):
        try:
            view = getattr(importlib.import_module(module), "VIEW", None)
        # Whatever a view's file raises while it is read must leave the other views standing.
        except Exception as error:
            log.exception("the view %s could not be loaded", module)
            found.refuse(name, module, sentence(error))
            continue
        if view is not None:
            found.take(view, name, module)
    for entry in entry_points(group=GROUP):
        _take_plugin(found, entry)
    ordered = sorted(found.views.values(), key=_place)
    found.views.clear()
    found.views.update((view.name, view) for view in ordered)
    return found


def _place(view: View[Any, Any]) -> tuple[int, int, str]:
    place = COURSE.index(view.name) if view.name in COURSE else len(COURSE)
    return view.group.place, place, view.title


def find(name: str) -> View[Any, Any]:
    """The view called `name`.

    Raises:
        ExplorerError: When there is none; the sentence names those there are, or says why this one
            is unavailable.
    """
    found = survey()
    if name not in found.views:
        name = current_name(name)
    if name in found.views:
        return found.views[name]
    known = f"Choose among: {', '.join(sorted(found.views))}."
    for entry in found.unavailable:
        if entry.name == name:
            raise ExplorerError(f"The view {name!r} is unavailable: {entry.reason}", known)
    near = get_close_matches(name, found.views, n=3, cutoff=0.5)
    meant = f"Did you mean {either(near)}? " if near else ""
    raise ExplorerError(f"There is no view {name!r}.", f"{meant}{known}")


def current_name(name: str) -> str:
    """The name of today of a view that an earlier version called `name`."""
    return renamed(name, OLD_NAMES)


def listing() -> Listing[View[Any, Any]]:
    """Every view by name, those of plug-ins too; printed, with what each is for."""
    return Listing(sorted(discover().items()), lambda view: view.summary)


def modules(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and module of every view in a package: GROUP/NAME.py, or GROUP/NAME/view.py."""
    for group in _children(folder):
        if group == SHARED:
            continue
        for name in _children(folder / group):
            module = f"{__name__}.{group}.{name}"
            if "view" in _children(folder / group / name):
                yield name, f"{module}.view"
            elif not os.path.isdir(folder / group / name):
                yield name, module


def _children(folder: Path) -> list[str]:
    return [entry.name for entry in pkgutil.iter_modules([str(folder)])]


def _take_plugin(found: Found, entry: EntryPoint) -> None:
    package = f" of {entry.dist.name}" if entry.dist is not None else ""
    origin = f"{entry.value}{package}"
    try:
        view = entry.load()
    # A plug-in's code: a failure during its import must not break the program.
    except (Exception, SystemExit) as error:
        log.exception("the view plug-in %s could not be loaded", entry.name)
        found.refuse(entry.name, origin, sentence(error))
        return
    found.take(view, entry.name, origin)


call_lists(__name__, listing)
