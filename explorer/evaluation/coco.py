"""Average precision by the rules of COCO (Lin et al. 2014), of boxes, masks and keypoints.

faster-coco-eval counts; here the photos are put into its form. All metrics lie in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.evaluation.metrics import SIZES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.evaluation.keypoints.skeletons import Points, Skeletons
    from explorer.evaluation.metrics import Found, Objects

    Row = dict[str, Any]
    Outlines = Sequence[Mapping[str, Any]]

_UNCOUNTED_AREA = 2e10
"""Larger than the largest area that COCO's evaluation counts (1e10)."""


class ClassAP(NamedTuple):
    """COCO's metrics of one class; see `CocoAP`."""

    ap: float
    ap50: float
    ap75: float
    ar: float


@dataclass(frozen=True, slots=True, eq=False)
class CocoAP:
    """COCO's metrics.

    Attributes:
        ap: Mean over IoU 0.5, 0.55 … 0.95 and over the classes with an object.
        ap50: At IoU 0.5.
        ap75: At IoU 0.75.
        ar: Recall with the 100 highest-scoring boxes of a class in every photo, mean over the same.
        by_class: By label, for every class with an object that counts; the mean over these is what
            stands above.
        ar1: Recall with the highest-scoring box of a class in every photo.
        ar10: With the 10 highest-scoring ones.
        by_size: (AP, AR) of the objects that are "small" (an area below 32 x 32 pixels), "medium"
            and "large" (from 96 x 96 on), where there are any.
    """

    ap: float
    ap50: float
    ap75: float
    ar: float
    by_class: dict[int, ClassAP]
    ar1: float = 0.0
    ar10: float = 0.0
    by_size: dict[str, tuple[float, float]] = field(default_factory=dict)


def coco_ap(truth: Sequence[Objects], found: Sequence[Found]) -> CocoAP:
    """COCO's metrics of boxes.

    A difficult object takes part as one of a size that is not counted.

    Args:
        truth: One for every photo.
        found: The same photos.

    Raises:
        ExplorerError: faster-coco-eval is not installed.
    """
    photos = [{"id": number} for number in range(len(truth))]
    counted = np.concatenate([np.zeros(0, np.int64), *(t.labels[~t.passed] for t in truth)])
    evaluation = _evaluated("bbox", photos, _objects(truth), _detections(found))
    return _figures(evaluation, counted)


def coco_instance_ap(
    truth: Sequence[Objects],
    outlines: Sequence[Outlines],
    found: Sequence[Found],
    masks: Sequence[Outlines],
) -> CocoAP:
    """COCO's metrics of instance masks: the IoU of their pixels stands for that of boxes.

    Difficult objects, and those without a pixel in their mask, take part as ones of a size that is
    not counted.

    Args:
        truth: One for every photo.
        outlines: The masks of its objects, as run lengths.
        found: The same photos.
        masks: Those of the detections.

    Raises:
        ExplorerError: faster-coco-eval is not installed.
    """
    coding = _package().mask
    photos = []
    for number, both in enumerate(zip(outlines, masks, strict=True)):
        one = next((outline for photo in both for outline in photo), {"size": (0, 0)})
        photos.append({"id": number, "height": one["size"][0], "width": one["size"][1]})
    objects = []
    for row, outline in zip(_objects(truth), _flat(outlines), strict=True):
        area = float(coding.area(dict(outline)))
        counts = area > 0 and row["area"] != _UNCOUNTED_AREA
        objects.append(
            {**row, "segmentation": outline, "area": area if counts else _UNCOUNTED_AREA}
        )
    answers = [
        {**row, "segmentation": outline}
        for row, outline in zip(_detections(found), _flat(masks), strict=True)
    ]
    counted = np.unique(
        [
            row["category_id"]
            for row in objects
            if row["area"] != _UNCOUNTED_AREA and not row["iscrowd"]
        ]
    )
    return _figures(_evaluated("segm", photos, objects, answers), counted)


def _flat(photos: Sequence[Outlines]) -> list[Mapping[str, Any]]:
    return [outline for photo in photos for outline in photo]


def _figures(evaluation: Any | None, counted: NDArray[np.int64]) -> CocoAP:
    """COCO's metrics, overall and by the class that is `counted`."""
    if evaluation is None or not len(counted):
        nothing = ClassAP(0.0, 0.0, 0.0, 0.0)
        return CocoAP(*nothing, {int(k): nothing for k in np.unique(counted)})
    # precision: (IoU thresholds, recall steps, classes, sizes, limits), recall without the steps;
    # -1 = no such object
    precision = np.asarray(evaluation.eval["precision"])[..., 0, -1]
    recall = np.asarray(evaluation.eval["recall"])[..., 0, -1]
    by_class = {
        int(label): ClassAP(
            float(precision[:, :, k].mean()),
            float(precision[0, :, k].mean()),
            float(precision[5, :, k].mean()),
            float(recall[:, k].mean()),
        )
        for k, label in enumerate(evaluation.params.catIds)
        if recall[:, k].max() >= 0
    }
    stats = [float(value) for value in evaluation.stats]
    sizes = zip(SIZES, stats[3:6], stats[9:12], strict=True)
    return CocoAP(
        stats[0], stats[1], stats[2], stats[8], by_class, stats[6], stats[7],
        {size: (ap, ar) for size, ap, ar in sizes if ar >= 0},
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """What is in one photo, or was found there.

    Attributes:
        masks: (N, H, W) bool; an object without visible pixels does not count.
        labels: (N,) int64.
        scores: (N,); None for what is there.
    """

    masks: NDArray[np.bool_]
    labels: NDArray[np.int64]
    scores: NDArray[np.floating[Any]] | None = None


def coco_mask_ap50(truth: Sequence[Masks], found: Sequence[Masks]) -> float:
    """The average precision of masks at an IoU of 0.5, mean over the classes with an object.

    Args:
        truth: One for every photo.
        found: The same photos.

    Raises:
        ExplorerError: faster-coco-eval is not installed.
    """
    photos = [
        {"id": number, "height": there.masks.shape[1], "width": there.masks.shape[2]}
        for number, there in enumerate(truth)
    ]
    objects = [row for row in _outlined(truth) if row["area"]]
    evaluation = _evaluated("segm", photos, objects, _outlined(found))
    return 0.0 if evaluation is None else float(evaluation.stats[1])


def coco_keypoint_ap(
    truth: Sequence[Objects],
    skeletons: Sequence[Skeletons],
    found: Sequence[Found],
    points: Sequence[Points],
    sigmas: Sequence[float],
) -> ClassAP | None:
    """COCO's figures of keypoints: the object keypoint similarity stands for the IoU of boxes.

    The similarity of one keypoint is exp(-d^2 / (2 area (2 sigma)^2)), d being the distance; that
    of a person is the mean over the labeled ones. Objects without labeled keypoints, and what is
    found there, do not count. AR is the recall with the 20 highest-scoring people of each photo.

    Args:
        truth: One for every photo.
        skeletons: Of the same objects.
        found: The same photos.
        points: (N, K, 3) of the same detections.
        sigmas: K, in square roots of an object's area.

    Returns:
        None where no object has keypoints.

    Raises:
        ExplorerError: faster-coco-eval is not installed.
    """
    photos = [{"id": number} for number in range(len(truth))]
    objects = [
        {
            **row,
            "area": float(area),
            "keypoints": places.ravel().tolist(),
            "num_keypoints": int((places[:, 2] > 0).sum()),
        }
        for row, area, places in zip(
            _objects(truth),
            np.concatenate([np.zeros(0), *(there.area for there in skeletons)]),
            (places for there in skeletons for places in there.points),
            strict=True,
        )
    ]
    if not any(row["num_keypoints"] and not row["iscrowd"] for row in objects):
        return None
    answers = [
        {**row, "keypoints": places.ravel().astype(float).tolist()}
        for row, places in zip(
            _detections(found), (places for own in points for places in own), strict=True
        )
    ]
    for row in answers:
        del row["bbox"]  # COCO's evaluation takes the box around the keypoints
    evaluation = _evaluated("keypoints", photos, objects, answers, sigmas)
    if evaluation is None:
        return ClassAP(0.0, 0.0, 0.0, 0.0)
    stats = [float(value) for value in evaluation.stats]
    return ClassAP(stats[0], stats[1], stats[2], stats[5])


def _evaluated(
    kind: str,
    photos: Sequence[Row],
    truth: Sequence[Row],
    found: Sequence[Row],
    sigmas: Sequence[float] | None = None,
) -> Any | None:
    """A `COCOeval_faster` that has done its work; None where nothing is there or was found."""
    package = _package()
    if not truth or not found:
        return None
    labels = {row["category_id"] for row in (*truth, *found)}
    known = package.COCO()
    known.dataset = {
        "info": {},
        "images": list(photos),
        "annotations": [{"iscrowd": 0, **row, "id": k} for k, row in enumerate(truth, 1)],
        "categories": [{"id": label, "name": str(label)} for label in sorted(labels)],
    }
    known.createIndex()
    answers = known.loadRes(list(found))
    evaluation = package.COCOeval_faster(
        known, answers, kind, print_function=_silent,
        kpt_oks_sigmas=None if sigmas is None else list(sigmas),
    )  # fmt: skip
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def _package() -> Any:
    try:
        import faster_coco_eval
    except ImportError as error:
        raise ExplorerError(
            "Average precision needs the package faster-coco-eval.",
            "Install it with: pip install faster-coco-eval",
        ) from error
    return faster_coco_eval


def _silent(*_words: object) -> None:
    """The evaluator writes its metrics to stdout."""


def _objects(truth: Sequence[Objects]) -> list[Row]:
    return [
        {
            "image_id": number,
            "category_id": int(label),
            "bbox": box,
            "area": _UNCOUNTED_AREA if difficult else float(area),
            "iscrowd": int(crowd),
        }
        for number, objects in enumerate(truth)
        for box, label, crowd, difficult, area in zip(
            _xywh(objects.xyxy),
            objects.labels,
            objects.crowd,
            objects.difficult,
            objects.areas,
            strict=True,
        )
    ]


def _detections(found: Sequence[Found]) -> list[Row]:
    return [
        {"image_id": number, "category_id": int(label), "bbox": box, "score": float(score)}
        for number, answer in enumerate(found)
        for box, label, score in zip(_xywh(answer.xyxy), answer.labels, answer.scores, strict=True)
    ]


def _xywh(boxes: NDArray[Any]) -> list[list[float]]:
    corners = np.asarray(boxes, np.float64)
    sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    values: list[list[float]] = sides.tolist()
    return values


def _outlined(photos: Sequence[Masks]) -> list[Row]:
    encode = _package().mask.encode
    return [
        {
            "image_id": number,
            "category_id": int(label),
            "segmentation": encode(np.asfortranarray(mask, np.uint8)),
            "area": float(mask.sum()),
            "score": float(score),
        }
        for number, photo in enumerate(photos)
        for mask, label, score in zip(
            photo.masks,
            photo.labels,
            np.ones(len(photo.labels)) if photo.scores is None else photo.scores,
            strict=True,
        )
    ]
