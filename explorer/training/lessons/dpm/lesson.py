"""Deformable part models of a few classes: trained on photos, measured on others."""

from __future__ import annotations

import datetime
import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.storage.atomic import write_bytes
from explorer.evaluation.metrics import Found, Objects, voc_ap
from explorer.training.data.pool import complete, read_pool
from explorer.training.lessons.dpm.fitting import INTERVAL, Negatives, fit_parts, fit_root
from explorer.training.lessons.dpm.objects import (
    EVERY,
    PLANS,
    Photo,
    counts,
    natural,
    object_examples,
    opened,
    person_examples,
    photos_with,
    photos_without,
)
from explorer.training.loop import write_json
from explorer.vision.dpm.matching import Border, detect, respond
from explorer.vision.dpm.models import Component, Model, mirrored_component, packed, read_models

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.training.data.pool import Pool
    from explorer.training.lessons.dpm.objects import Aspect, Example, Plan
    from explorer.training.lessons.registry import Material

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]

log = logging.getLogger(__name__)

FILE = "dpm.npz"
CARD = "dpm.json"
MINED, MEASURED = 50, 40
"""Photos without the object: for hard examples, and held out for the metrics."""
MOST_HELD = 50
"""Photos with the object that the metrics are measured on."""
MOST_OBJECTS = 250
"""Of an aspect that are trained on."""
MOST_CROPS = 400
LEAST = -2.0
"""Detections with lower scores do not count for the metrics."""
DATA = (
    "person: 400 crops of INRIA Person; car: photos of Animal-Pose, COCO 2014, Open Images "
    "vehicles and smaller data sets, with boxes of the data sets or of a teacher; hard examples "
    "from photos of the same sets without the object"
)
LICENSE = (
    "Trained on photos that are offered for research: check their terms before any other use. The "
    "program contains none of these photos."
)


def fit(name: str, material: Material, folder: Path) -> None:
    """See `lessons`: writes FILE and CARD; a class that is in a file there already is kept.

    `material.folder` has inria-persons/ and pool/ in it.
    """
    pool = complete(read_pool(material.folder / "pool"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    models: dict[str, Model] = read_models(path) if path.exists() else {}
    figures: dict[str, Any] = _known(folder / CARD) if models else {}
    for plan in PLANS:
        if plan.label in models and plan.label in figures:
            continue
        start = time.monotonic()
        models[plan.label], figures[plan.label] = _class(plan, pool, material)
        figures[plan.label]["minutes"] = round((time.monotonic() - start) / 60, 1)
        log.info("%s: %s", plan.label, figures[plan.label])
        write_bytes(path, packed(list(models.values())))
        write_json(folder / CARD, _card(path.stat().st_size, material, figures))


def _known(path: Path) -> dict[str, Any]:
    import json

    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    return known


def _card(size: int, material: Material, figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "dpm",
        "title": "Deformable part models",
        "weights": FILE,
        "bytes": size,
        "dtype": "float16 in the file, float32 in use",
        "metrics": figures,
        "measured_on": "held-out photos with and without the object, at IoU >= 0.5 (Pascal VOC's "
        "AP); objects smaller than the root filter, or of another aspect, count as difficult; "
        "person: held-out crops of INRIA, and photos without a person; threshold: detections above "
        "it are more often right than wrong, on photos of VOC (person) and with held-out photos of "
        "cars beside them (car)",
        "data": DATA,
        "license": LICENSE,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seed": material.seed,
        "recipe": {
            "method": "latent SVM, dual coordinate descent, hard examples mined in rounds",
            "photos mined": MINED, "scales in an octave": INTERVAL,
        },
        "failures": "At the thresholds most objects are missed. Finds upright people and cars from "
        "the side, of about the shape of the root filter; people who sit, bend or are cut off, and "
        "cars from the front, are mostly missed. Seen on photos of COCO: trunks, poles and door "
        "frames score as people do.",
    }  # fmt: skip


def _class(plan: Plan, pool: Pool, material: Material) -> tuple[Model, dict[str, Any]]:
    rng = np.random.default_rng(material.seed)
    others = photos_without(pool, plan.label)
    order = rng.permutation(len(others))[: MINED + MEASURED]
    without = [opened(others[at], pool.names.index(plan.label)) for at in order]
    mined = [photo.pixels for photo in without[MEASURED:]]
    held: list[Photo] = []
    if plan.crops:
        examples = {plan.aspects[0]: _people(material, rng)}
    else:
        held, examples = _objects(plan, pool, rng)
    negatives = Negatives.of(mined)
    roots: list[Component] = []
    whole: list[Component] = []
    for aspect in plan.aspects:
        chosen = examples[aspect]
        log.info("%s: %d objects of %s", plan.label, len(chosen), aspect)
        root = fit_root(chosen, aspect.cells, negatives, rng)
        parts = fit_parts(root, aspect.parts, chosen, negatives, rng)
        for component, several in ((root, roots), (parts, whole)):
            both = (component, mirrored_component(component)) if aspect.turned else (component,)
            several.extend(both)
    # The root filter alone gets the same boxes, so that nothing but the parts differs.
    roots = [_boxed(root, other) for root, other in zip(roots, whole, strict=True)]
    model = Model(plan.label, tuple(whole), plan.threshold)
    figures: dict[str, Any] = {
        "threshold": plan.threshold,
        "objects": sum(len(some) for some in examples.values()),
        "components": len(whole),
    }
    for words, one in (
        ("AP", model),
        ("AP of the root filter alone", replace_components(model, roots)),
    ):
        if plan.crops:
            crops = person_examples(
                material.folder / "inria-persons", "validation", lambda paths: paths[::2]
            )
            figures[words] = round(crop_ap(one, crops, without[:MEASURED]), 4)
            figures["held out"] = f"{len(crops)} crops, {MEASURED} photos without"
        else:
            figures[words] = round(photo_ap(one, [*held, *without[:MEASURED]]), 4)
            count = sum(len(photo.boxes) for photo in held)
            figures["held out"] = (
                f"{count} objects in {len(held)} photos, {MEASURED} photos without"
            )
    return model, figures


def replace_components(model: Model, components: Sequence[Component]) -> Model:
    return Model(model.name, tuple(components), model.threshold)


def _boxed(root: Component, other: Component) -> Component:
    return Component(root.root, (), root.bias, other.box)


def _people(material: Material, rng: np.random.Generator) -> list[Example]:
    def some(paths: list[Path]) -> list[Path]:
        return [paths[at] for at in rng.permutation(len(paths))[:MOST_CROPS]]

    return person_examples(material.folder / "inria-persons", "train", some)


def _objects(
    plan: Plan, pool: Pool, rng: np.random.Generator
) -> tuple[list[Photo], dict[Aspect, list[Example]]]:
    """Held-out photos with the object, and the examples of each aspect from all others."""
    number = pool.names.index(plan.label)
    photos = photos_with(pool, plan.label)
    apart = {photo.path for photo in [photo for photo in photos if natural(photo)][::EVERY]}
    held = held_out(pool, plan)
    known = [opened(photo, number) for photo in photos if photo.path not in apart]
    examples = {}
    for aspect in plan.aspects:
        pairs = object_examples(known, aspect)
        pairs = [pairs[at] for at in rng.permutation(len(pairs))[:MOST_OBJECTS]]
        if aspect.turned:
            examples[aspect] = facing_alike(pairs)
        else:
            examples[aspect] = [one for pair in pairs for one in pair]
    return held, examples


def held_out(pool: Pool, plan: Plan) -> list[Photo]:
    """Photos with objects of the plan that no training has seen, at most `MOST_HELD`."""
    found: list[Photo] = []
    own = [photo for photo in photos_with(pool, plan.label) if natural(photo)]
    for photo in own[::EVERY]:
        if len(found) == MOST_HELD:
            break
        shown = measurable(opened(photo, pool.names.index(plan.label)), plan)
        if len(shown.boxes):
            found.append(shown)
    return found


def measurable(photo: Photo, plan: Plan) -> Photo:
    """The photo with the objects that the filters are made for; the others are uncertain ones.

    Objects that are too small, or seen from another side, are neither found nor missed.
    """
    made_for = np.array([counts(box, plan) for box in photo.boxes], np.bool_)
    others = np.concatenate([photo.ignored, photo.boxes[~made_for]])
    return Photo(photo.pixels, photo.boxes[made_for], others)


def facing_alike(pairs: Sequence[tuple[Example, Example]]) -> list[Example]:
    """Of every object the one of both mirrors that faces as the others do.

    The difference of the mirrors is largest along one direction, the first singular vector of all
    differences; its sign says which way an object faces.
    """
    if not pairs:
        return []
    first, second = (
        np.stack([pair[side].scales[0].root.cells.ravel() for pair in pairs]) for side in (0, 1)
    )
    gram = (first - second) @ (first - second).T
    along = np.linalg.eigh(gram.astype(np.float64))[1][:, -1]
    return [pair[0] if sign >= 0 else pair[1] for pair, sign in zip(pairs, along, strict=True)]


def photo_ap(model: Model, photos: Sequence[Photo]) -> float:
    """Average precision in photos, at an IoU of 0.5; uncertain boxes count for nothing."""
    truth, found = [], []
    for photo in photos:
        boxes = np.concatenate([photo.boxes, photo.ignored]).astype(np.float64)
        doubtful = np.arange(len(boxes)) >= len(photo.boxes)
        truth.append(
            Objects(boxes, np.zeros(len(boxes), np.int64), np.zeros(len(boxes), np.bool_), doubtful)
        )
        found.append(_found(photo.pixels, model))
    return voc_ap(truth, found)[0].every_point


def crop_ap(model: Model, crops: Sequence[Example], photos: Sequence[Photo]) -> float:
    """Average precision of the best placement in each crop against all detections in photos."""
    scores = [best_score(model, crop) for crop in crops]
    one = Objects.plain(np.array([[0.0, 0.0, 1.0, 1.0]]), np.zeros(1, np.int64))
    none = Objects.plain(np.zeros((0, 4)), np.zeros(0, np.int64))
    truth = [one] * len(crops) + [none] * len(photos)
    found = [Found(one.xyxy, one.labels, np.array([score])) for score in scores]
    found += [_found(photo.pixels, model) for photo in photos]
    return voc_ap(truth, found)[0].every_point


def best_score(model: Model, example: Example) -> float:
    best = -np.inf
    top, left, rows, columns = example.allowed
    for scale in example.scales:
        for component in model.components:
            responses = respond(scale, component, Border(0, 0))
            if responses is not None:
                scores = responses.score[top : top + rows, left : left + columns]
                best = max(best, float(scores.max()))
    return best


def _found(pixels: UInt8, model: Model) -> Found:
    every = detect(pixels, model, above=LEAST, interval=INTERVAL)
    return Found(every.boxes, np.zeros(len(every.scores), np.int64), every.scores)
