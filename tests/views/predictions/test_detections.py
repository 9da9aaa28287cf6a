"""The boxes are the network's own; the sliders only hide."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.core.colormaps import APART, cielab
from explorer.core.layers import Boxes, Lines, Masks, Points, Text, class_colors
from explorer.core.network_info import LayerInfo
from explorer.core.params import Box, parameters
from explorer.engine.scene import Scene
from explorer.evaluation.metrics import RIGHT, WRONG, Found, Objects, outcomes
from explorer.networks.preprocess import Preprocess
from explorer.views.predictions.detections import VIEW
from explorer.views.shared.anchors import BLUE, truth_boxes
from explorer.views.shared.detection_params import DetectionParams
from explorer.views.shared.detections import DetectorAnswer
from explorer.views.shared.matches import COLORS
from explorer.views.shared.plural import plural
from tests.toys import FixedDetector, make_network, tiny_faster_rcnn, toy_image, toy_network

CLASSES = ("__background__", "cat", "dog", "N/A", "N/A", "car")


def answer() -> dict[str, torch.Tensor]:
    masks = torch.zeros(3, 1, 48, 64)
    masks[0, 0, 10:20, 10:20] = 0.9
    masks[1, 0, 15:25, 15:25] = 0.5
    masks[2, 0, 0:2, 0:2] = 0.49
    joints = torch.zeros(3, 17, 3)
    joints[:, :, 0] = torch.arange(17)
    return {
        "boxes": torch.tensor([[10.0, 10, 20, 20], [15, 15, 25, 25], [0, 0, 2, 2]]),
        "labels": torch.tensor([1, 5, 1]),
        "scores": torch.tensor([0.9, 0.6, 0.2]),
        "masks": masks,
        "keypoints": joints,
        "keypoints_scores": torch.linspace(-1, 15, 17).repeat(3, 1),
    }


def fixed(preprocess: Preprocess | None = None) -> DetectorAnswer:
    network = make_network(
        FixedDetector(answer()), "detection", classes=CLASSES, preprocess=preprocess
    )
    (step,) = VIEW.compute(Scene(network, toy_image()), DetectionParams())
    return step.value


def boxes(result: DetectorAnswer, params: DetectionParams) -> Boxes:
    found = VIEW.draw(result, params).boxes("detections")
    assert found is not None
    return found


def test_equal_to_the_networks_own_output() -> None:
    scene = Scene(toy_network("detection"), toy_image())
    (step,) = VIEW.compute(scene, DetectionParams())
    with torch.no_grad():
        own = scene.network.module(
            [torch.from_numpy(scene.image.pixels.copy()).permute(2, 0, 1) / 255]
        )
    assert len(own[0]["boxes"]) > 3
    found = step.value.found
    for ours, theirs in ((found.xyxy, "boxes"), (found.labels, "labels"), (found.scores, "scores")):
        assert torch.equal(torch.from_numpy(ours), own[0][theirs]), theirs


def test_the_slider_hides_and_keys_stay() -> None:
    result = fixed()
    assert boxes(result, DetectionParams(score=0.0)).keys == (0, 1, 2)
    assert boxes(result, DetectionParams(score=0.55)).keys == (0, 1)
    assert boxes(result, DetectionParams(score=0.0, classes=("car",))).keys == (1,)
    assert boxes(result, DetectionParams(score=0.0, classes=("car",))).row(1) == 0
    assert boxes(result, DetectionParams(score=0.95)).xyxy.shape == (0, 4)
    board = VIEW.draw(result, DetectionParams(score=0.0))
    assert board.tables[0].keys == (0, 1, 2)
    assert board.tables[0].layer == "detections"
    assert board.tables[0].rows[1] == ("car", 0.6, 15.0, 15.0, 25.0, 25.0)


def test_sentences() -> None:
    result = fixed()
    assert (
        VIEW.draw(result, DetectionParams(score=0.0)).summary
        == "3 of 3 detections (score >= 0.00): 2 cats, 1 car"
    )
    assert VIEW.draw(result, DetectionParams(score=0.0)).notes == (
        "The network itself drops detections with a score below 0.05.",
    )
    assert VIEW.draw(result, DetectionParams()).notes == ()
    assert VIEW.draw(result, DetectionParams(score=1.0)).summary.startswith(
        "No detection has a score >= 1.00; the highest of 3 is 0.90 (cat)."
    )


def test_the_threshold_is_the_networks_own_until_somebody_says_another() -> None:
    result = fixed()
    assert boxes(result, DetectionParams()).keys == (0, 1), "0.5 where no card says otherwise"
    careful = replace(result, info=replace(result.info, score_threshold=0.7))
    assert boxes(careful, DetectionParams()).keys == (0,)
    assert boxes(careful, DetectionParams(score=0.1)).keys == (0, 1, 2)


def test_classes_beyond_the_color_set_are_told_apart() -> None:
    result = fixed()
    labels = np.array([1, 33, 65])  # one place in the set of 32, in three rounds
    many = replace(
        result,
        found=replace(result.found, labels=labels),
        info=replace(result.info, classes=tuple(f"class {k}" for k in range(91))),
    )
    layer = boxes(many, DetectionParams(score=0.0))
    lab = cielab(layer.colors)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    assert apart[~np.eye(3, dtype=bool)].min() >= APART
    table = VIEW.draw(many, DetectionParams(score=0.0)).tables[0]
    assert table.swatches == tuple(map(tuple, layer.colors.tolist()))


TRUTH = (Box(10, 10, 20, 20, "cat"), Box(15, 15, 25, 35, "car"), Box(40, 40, 50, 50, "dog"))
"""The cat as it was found; the car twice as tall, an IoU of 100 / 200; and a dog nobody found."""


def test_true_and_false_positives_and_false_negatives_by_hand() -> None:
    result = fixed()
    board = VIEW.draw(result, DetectionParams(score=0.0, truth=TRUTH))
    layer = board.boxes("detections")
    assert layer is not None
    assert layer.labels == ("TP cat 0.90", "TP car 0.60", "FP cat 0.20")
    np.testing.assert_array_equal(layer.colors, [COLORS["TP"], COLORS["TP"], COLORS["FP"]])
    assert board.summary.endswith("; 2 TP, 1 FP, 1 FN at IoU >= 0.50")
    assert [row[:4] for row in board.tables[0].rows] == [
        ("cat", 0.9, "TP", 1.0), ("car", 0.6, "TP", 0.5), ("cat", 0.2, "FP", 0.0)
    ]  # fmt: skip
    missed = board.boxes("ground truth, missed")
    assert missed is not None
    assert missed.labels == ("FN dog",)
    assert missed.xyxy.tolist() == [[40, 40, 50, 50]]
    key = next(x for x in board.panes[0].layers if isinstance(x, Text))
    assert key.text == "2 true positives\n1 false positive\n1 false negative"
    assert key.swatches == tuple(COLORS.values())
    found = VIEW.data(result, DetectionParams(score=0.0, truth=TRUTH))
    assert found["match"] == ("TP", "TP", "FP")
    assert found["missed"].tolist() == [[40, 40, 50, 50]]


def test_a_difficult_object_counts_neither_way_by_hand() -> None:
    # The cat is difficult and found: its detection is ignored. The dog is difficult and missed.
    truth = (replace(TRUTH[0], difficult=True), TRUTH[1], replace(TRUTH[2], difficult=True))
    result, params = fixed(), DetectionParams(score=0.0, truth=truth)
    board = VIEW.draw(result, params)
    layer = board.boxes("detections")
    assert layer is not None
    assert layer.labels == ("ignored cat 0.90", "TP car 0.60", "FP cat 0.20")
    np.testing.assert_array_equal(layer.colors, [BLUE, COLORS["TP"], COLORS["FP"]])
    assert "; 1 TP, 1 FP, 0 FN, 2 difficult objects (not counted) at IoU >= 0.50" in board.summary
    dashed = board.boxes("ground truth, not counted")
    assert dashed is not None
    assert dashed.dotted
    assert dashed.labels == ("cat (difficult)", "dog (difficult)")
    assert dashed.xyxy.tolist() == [[10, 10, 20, 20], [40, 40, 50, 50]]
    assert board.boxes("ground truth, missed") is None
    key = next(x for x in board.panes[0].layers if isinstance(x, Text))
    assert key.text.splitlines()[-1] == "2 difficult objects (dashed): not counted"
    assert key.swatches == (*COLORS.values(), BLUE)
    found = VIEW.data(result, params)
    assert found["match"] == ("ignored", "TP", "FP")
    assert len(found["missed"]) == 0


def test_a_detection_in_a_crowd_is_ignored_by_hand() -> None:
    # Of the first cat's 10 x 10 pixels 6 x 10 lie in the crowd: 0.6 of its area, an IoU of 0.01.
    # The dog is a single object inside a crowd of dogs.
    wide = Box(5, 5, 16, 300, "cat", crowd=True)
    truth = (wide, replace(wide, x1=300.0), Box(0, 0, 300, 300, "dog", crowd=True), TRUTH[2])
    result, params = fixed(), DetectionParams(score=0.0, truth=truth[:1])
    assert VIEW.data(result, params)["match"] == ("ignored", "FP", "FP")
    assert VIEW.data(result, replace(params, iou=0.65))["match"] == ("FP", "FP", "FP")
    board = VIEW.draw(result, replace(params, truth=truth))
    assert "; 0 TP, 2 FP, 1 FN, 3 crowd regions (not counted) at IoU >= 0.50" in board.summary
    key = next(x for x in board.panes[0].layers if isinstance(x, Text))
    assert key.text.splitlines()[-1] == "3 crowd regions (dashed): not counted"


def test_the_view_and_the_evaluation_agree_about_difficult_objects() -> None:
    truth = (replace(TRUTH[0], difficult=True), *TRUTH[1:])
    result = fixed()
    found = Found(result.found.xyxy, result.found.labels, result.found.scores)
    flags = np.array([True, False, False])
    objects = Objects(
        truth_boxes(truth).astype(np.float64), np.array([1, 5, 2]), np.zeros(3, bool), flags
    )
    counted = outcomes(objects, found, 0.5)
    summary = VIEW.draw(result, DetectionParams(score=0.0, truth=truth)).summary
    counts = ((counted.marks == RIGHT).sum(), (counted.marks == WRONG).sum(), counted.missed.sum())
    assert "{} TP, {} FP, {} FN,".format(*counts) in summary


def test_a_higher_iou_makes_a_loose_box_a_false_positive() -> None:
    summary = VIEW.draw(fixed(), DetectionParams(score=0.5, truth=TRUTH, iou=0.6)).summary
    assert summary.endswith("; 1 TP, 1 FP, 2 FN at IoU >= 0.60")


def test_only_the_chosen_classes_are_compared() -> None:
    params = DetectionParams(score=0.5, truth=TRUTH, classes=("dog",))
    assert VIEW.draw(fixed(), params).summary.endswith("; 0 TP, 0 FP, 1 FN at IoU >= 0.50.")


def test_objects_without_a_class_match_any_and_unknown_ones_take_no_part() -> None:
    nameless = tuple(replace(box, label="") for box in TRUTH)
    board = VIEW.draw(fixed(), DetectionParams(score=0.5, truth=nameless))
    assert "2 TP, 0 FP, 1 FN" in board.summary
    board = VIEW.draw(
        fixed(), DetectionParams(score=0.5, truth=(*TRUTH, Box(1, 1, 9, 9, "unicorn")))
    )
    assert "2 TP, 0 FP, 1 FN" in board.summary
    assert any("1 object is ignored" in note for note in board.notes)
    assert board.boxes("ground truth").labels == ("", "", "unicorn")  # type: ignore[union-attr]


def test_the_classes_keep_their_colors_where_that_is_asked_for() -> None:
    params = DetectionParams(score=0.5, truth=TRUTH, color_by="class")
    layer = boxes(fixed(), params)
    np.testing.assert_array_equal(layer.colors, class_colors(len(CLASSES))[[1, 5]])
    assert layer.labels == ("cat 0.90", "car 0.60")


@pytest.mark.parametrize(
    ("name", "several"),
    [("dog", "dogs"), ("person", "people"), ("bus", "buses"), ("class 3", "class 3"),
     ("truck, bus or train", "trucks, buses or trains"), ("scissors", "scissors")],
)  # fmt: skip
def test_two_of_a_class(name: str, several: str) -> None:
    assert plural(name, 2) == several
    assert plural(name, 1) == name


def test_switches_for_masks_and_joints_only_where_the_network_has_them() -> None:
    info = toy_network("detection").info
    by_name = {entry.name: entry for entry in parameters(DetectionParams)}
    for name in ("masks", "mask_threshold", "mask_opacity", "keypoints", "keypoint_score"):
        assert not by_name[name].applies(DetectionParams(), info), name
    masked = replace(info, layers=(*info.layers, LayerInfo("mask_head", "Head", 0, True, 1)))
    assert by_name["masks"].applies(DetectionParams(), masked)


def test_choices_are_things() -> None:
    info = toy_network("detection").info
    choices = next(f for f in DetectionParams.__dataclass_fields__.values() if f.name == "classes")
    assert choices.metadata["meta"].options(info) == ("cat", "dog", "car")


def test_a_class_has_one_color_everywhere() -> None:
    layer = boxes(fixed(), DetectionParams(score=0.0))
    table = class_colors(len(CLASSES))
    np.testing.assert_array_equal(layer.colors, table[[1, 5, 1]])
    single = boxes(fixed(), DetectionParams(score=0.0, classes=("car",)))
    np.testing.assert_array_equal(single.colors, table[[5]])
    objects = boxes(fixed(), DetectionParams(score=0.0, color_by="object"))
    assert len(np.unique(objects.colors, axis=0)) == 3


def test_masks_by_hand() -> None:
    result = fixed()
    layer = next(
        x
        for x in VIEW.draw(result, DetectionParams(score=0.0)).panes[0].layers
        if isinstance(x, Masks)
    )
    assert layer.index[12, 12] == 0
    assert layer.index[17, 17] == 0, "the higher-scoring object lies on top"
    assert layer.index[22, 22] == 1, "probability 0.5 is in at 0.5"
    assert layer.index[1, 1] == -1, "probability 0.49 is not"
    assert layer.extent == (0, 0, 64, 48)
    again = next(
        x
        for x in VIEW.draw(result, DetectionParams(score=0.1)).panes[0].layers
        if isinstance(x, Masks)
    )
    assert again.index is layer.index, "the same objects: nothing is composed anew"


@pytest.mark.parametrize("level", [0.25, 0.5, 0.75])
def test_quantized_masks_agree_with_the_floats(level: float) -> None:
    from explorer.networks.preprocess import Frame
    from explorer.vision.detection.detections import detections_of

    masks = torch.rand(2, 1, 30, 30, generator=torch.Generator().manual_seed(0))
    masks[0, 0, 0, 0] = level
    output = {"boxes": torch.zeros(2, 4), "labels": torch.ones(2), "scores": torch.ones(2)}
    found = detections_of([{**output, "masks": masks}], Frame(), (30, 30))
    assert found.masks is not None
    theirs = (masks[:, 0] >= level).numpy()
    np.testing.assert_array_equal(found.masks >= round(level * 256), theirs)


def test_keypoints_and_limbs() -> None:
    layers = VIEW.draw(fixed(), DetectionParams(score=0.8)).panes[0].layers
    points = next(x for x in layers if isinstance(x, Points))
    limbs = next(x for x in layers if isinstance(x, Lines))
    # scores -1, 0, 1 ... 15: the first joint is too uncertain, and so are its two limbs
    assert len(points.xy) == 16
    assert len(limbs.segments) == 19 - 2
    assert points.xy[0].tolist() == [1.0, 0.0]


def test_the_joints_of_the_selected_box_are_named() -> None:
    result = replace(fixed(), joints=tuple(f"joint_{number}" for number in range(17)))
    layers = VIEW.draw(result, DetectionParams(score=0.5, selected=1)).panes[0].layers
    (points,) = (x for x in layers if isinstance(x, Points))
    assert points.labels == ("",) * 16 + tuple(f"joint {number}" for number in range(1, 17))
    (plain,) = (x for x in VIEW.draw(result, DetectionParams()).panes[0].layers
                if isinstance(x, Points))  # fmt: skip
    assert plain.labels == ()
    assert VIEW.data is not None
    assert VIEW.data(result, DetectionParams())["keypoint_names"] == result.joints


def test_boxes_come_back_from_a_resized_input() -> None:
    # The input is 24 x 32, half of the photo: (10, 10) of it lies at (20, 20) of the photo.
    result = fixed(Preprocess(resize=(24, 32), batched=False))
    np.testing.assert_allclose(result.found.xyxy[0], [20, 20, 40, 40])
    assert result.found.mask_extent == (0, 0, 64, 48)
    assert result.found.keypoints is not None
    np.testing.assert_allclose(result.found.keypoints[0, 3, :2], [6, 0])


def test_data_is_what_is_shown() -> None:
    found = VIEW.data(fixed(), DetectionParams(score=0.5))
    assert found["boxes"].tolist() == [[10, 10, 20, 20], [15, 15, 25, 25]]
    assert found["labels"].tolist() == [1, 5]
    assert found["classes"] == CLASSES
    assert found["size"] == (64, 48)


def test_nothing_found() -> None:
    module = tiny_faster_rcnn()
    module.roi_heads.score_thresh = 2.0
    (step,) = VIEW.compute(Scene(make_network(module, "detection"), toy_image()), DetectionParams())
    board = VIEW.draw(step.value, DetectionParams())
    assert board.summary == "No detections."
    assert board.tables[0].rows == ()


def test_a_selected_box_stands_out_while_it_is_shown() -> None:
    board = VIEW.draw(fixed(), DetectionParams(score=0.0, selected=1))
    halo = board.boxes("selected")
    assert halo is not None
    assert halo.xyxy.tolist() == [[15, 15, 25, 25]]
    assert VIEW.draw(fixed(), DetectionParams(score=0.7, selected=1)).boxes("selected") is None
    assert VIEW.draw(fixed(), DetectionParams(selected=99)).boxes("selected") is None
