import math
from functools import partial

import pytest
import torch
from torch.nn import functional

from explorer.engine.scene import Scene
from explorer.engine.stages import anchor_answers_of
from explorer.networks.checkpoints import fitting
from explorer.networks.checkpoints.reading import Checkpoint
from explorer.networks.definition import Definition, Variant
from explorer.networks.embedded.yolo import YOLOv2, lite_yolo_v1, lite_yolo_v2
from explorer.networks.entry import Entry
from explorer.networks.preprocess import Preprocess
from explorer.views.detection.anchors.view import BEST
from explorer.views.detection.anchors.view import VIEW as ANCHORS
from explorer.views.detection.anchors.view import Params as AnchorParams
from explorer.views.predictions.detections import VIEW as DETECTIONS
from explorer.views.shared.detection_params import DetectionParams
from explorer.vision.detection.detections import score_floor
from tests.toys import make_network, toy_image

TREE = {"words": ["animal", "dog", "cat", "cup"], "parents": [-1, 0, 0, -1], "labels": [0, 1, 2, 3]}
PRIORS = [[1.0, 2.0], [4.0, 3.0]]


@pytest.fixture(scope="module", params=["v1", "v2"])
def model(request):
    torch.manual_seed(0)
    if request.param == "v1":
        return lite_yolo_v1(4, side=64, width=16).eval()
    return lite_yolo_v2(4, priors=PRIORS, **TREE, side=128, width=16, fine=4).eval()


def v2():
    return lite_yolo_v2(4, priors=PRIORS, **TREE, side=128, width=16, fine=4).eval()


def test_v1_boxes_and_scores_by_hand():
    model = lite_yolo_v1(4, side=64, width=16)
    model.score_thresh = 0.2
    numbers = torch.zeros(4, 4, 13)
    # row 1, column 2, second box: the middle at a quarter and a half of the cell, half as wide as
    # the picture and a quarter as high
    numbers[1, 2, 5:10] = torch.tensor([0.25, 0.5, math.sqrt(0.5), 0.5, 0.8])
    numbers[1, 2, 10:] = torch.tensor([0.1, 0.2, 0.7])
    boxes, scores, _ = model.candidates(numbers, (64, 128))
    best = int(scores.max(1).values.argmax())
    assert best == (1 * 4 + 2) * 2 + 1
    x, y = (2 + 0.25) / 4 * 128, (1 + 0.5) / 4 * 64
    assert boxes[best].tolist() == pytest.approx([x - 32, y - 8, x + 32, y + 8])
    assert scores[best].tolist() == pytest.approx([0, 0.08, 0.16, 0.56])


def test_v2_boxes_scores_and_words_by_hand():
    model = v2()
    numbers = torch.zeros(3, 5, 2, 9)
    numbers[..., 4] = -20
    # row 2, column 3, second prior (4 x 3): sigmoid(0) = 1/2; twice as wide, as high as it is
    numbers[2, 3, 1, :5] = torch.tensor([0.0, 0.0, math.log(2), 0.0, math.log(4)])
    numbers[2, 3, 1, 5:] = torch.tensor([math.log(3), math.log(4), 0.0, 0.0])
    boxes, scores, more = model.candidates(numbers, (96, 160))
    assert boxes.tolist() == [pytest.approx([32 * v for v in (3.5 - 4, 1.0, 3.5 + 4, 4.0)])]
    # sure to 4/5; an animal to 3/4, then a dog to 4/5
    assert scores[0].tolist() == pytest.approx([0, 0.8 * 0.6, 0.8 * 0.15, 0.8 * 0.25])
    assert model.tree.way(int(more["words"])) == ("animal", "dog")
    assert more["word_scores"].item() == pytest.approx(0.8 * 0.6)
    model.least = 0.7
    assert model.tree.way(int(model.candidates(numbers, (96, 160))[2]["words"])) == ("animal",)


def test_answers_have_torchvisions_form(model):
    model.score_thresh = 0.001
    image = torch.rand(3, 50, 90)
    with torch.no_grad():
        answers = model([image, torch.rand(3, 50, 90)])
        (alone,) = model(image[None])
    assert len(answers) == 2
    answer = answers[0]
    for name in ("boxes", "scores", "labels"):
        assert torch.allclose(answer[name].float(), alone[name].float(), atol=1e-4)
    boxes, labels, scores = answer["boxes"], answer["labels"], answer["scores"]
    assert boxes.shape == (len(labels), 4)
    assert 0 < len(labels) <= model.detections_per_img
    assert labels.dtype == torch.int64
    assert set(labels.tolist()) <= {1, 2, 3}
    assert (scores[:-1] >= scores[1:]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= 90 + 1e-3
    assert boxes[:, 3].max() <= 50 + 1e-3
    assert score_floor(model) == 0.001


def test_thresholds_are_honored(model):
    image = torch.rand(3, 64, 64)
    model.score_thresh = 0.001
    with torch.no_grad():
        many = model([image])[0]
        model.score_thresh = float(many["scores"].median())
        fewer = model([image])[0]["scores"]
        assert len(fewer) == int((many["scores"] > model.score_thresh).sum())
        model.score_thresh = 1.0
        none = model([image])[0]
    assert none["boxes"].shape == (0, 4)
    assert none["labels"].shape == (0,)


def test_a_photo_that_becomes_smaller_is_smoothed():
    stripes = torch.zeros(3, 256, 256)
    stripes[:, :, ::2] = 1
    batch, _ = lite_yolo_v1(4, side=64, width=16).transform([stripes])
    gray = torch.full((3,), (0.5 - 127 / 255) / (128 / 255))
    inner = batch.tensors[0, :, 4:-4, 4:-4]
    assert torch.allclose(inner, gray[:, None, None].expand_as(inner), atol=1e-3)
    larger, _ = v2().transform([torch.rand(3, 32, 40)])
    assert larger.image_sizes == [(102, 128)]
    assert larger.tensors.shape == (1, 3, 128, 128)


def test_v2_stacks_four_neighbors():
    model = v2()
    stacked = model.stack(torch.arange(16.0).view(1, 1, 4, 4))
    assert stacked.shape == (1, 4, 2, 2)
    assert stacked[0, :, 0, 1].tolist() == [2, 3, 6, 7]


def test_the_anchors_view_gets_its_priors():
    model = v2()
    scene = Scene(make_network(model, "detection"), toy_image(48, 96))
    found = anchor_answers_of(scene)
    (level,) = found.levels
    assert found.size == (64, 128)
    assert (level.rows, level.columns, level.per_cell) == (2, 4, 2)
    assert level.stride == (32, 32)
    assert level.shapes == ((32, 64), (128, 96))
    # the answers of the network's own numbers, anchor by anchor
    with torch.no_grad():
        batch, _ = model.transform(list(scene.input()))
        numbers = model.predict(model.features(batch.tensors))[0, 1, 3, 1]
    index = level.index(1, 3, 1)
    x, y = 32 * (3 + numbers[0].sigmoid()), 32 * (1 + numbers[1].sigmoid())
    w, h = 128 * numbers[2].exp(), 96 * numbers[3].exp()
    wanted = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    assert torch.allclose(found.refined[index], wanted, atol=1e-4)
    top = functional.softmax(numbers[[5, 8]], 0)
    low = functional.softmax(numbers[[6, 7]], 0)
    shares = torch.stack([top[0] * low[0], top[0] * low[1], top[1]])
    assert found.scores[index].item() == pytest.approx(
        float(numbers[4].sigmoid() * shares.max()), rel=1e-4
    )
    assert found.labels[index].item() == 1 + int(shares.argmax())


def test_the_tree_decides_how_many_classes_there_are():
    assert lite_yolo_v2(3, priors=PRIORS, **TREE).num_classes == 4
    assert lite_yolo_v2(3, priors=PRIORS).num_classes == 3


@pytest.mark.parametrize("kind", [lite_yolo_v1, lite_yolo_v2])
def test_weights_of_a_file_are_fitted(kind):
    options = {"priors": PRIORS, **TREE} if kind is lite_yolo_v2 else {}
    classes = ("background", "dog", "cat", "cup")
    entry = Entry("yolo", "YOLO", "detection", "embedded", "", num_classes=4)
    definition = Definition(entry, partial(kind, **options), Variant(classes, Preprocess()))
    torch.manual_seed(1)
    state = kind(4, **options).state_dict()
    fit = fitting.fit(Checkpoint("a file", state), definition)
    assert fit.share == 1
    assert all(torch.equal(v, state[k]) for k, v in fit.module.state_dict().items())


def test_views_show_what_it_found(model):
    model.score_thresh = 0.001
    classes = ("background", "dog", "cat", "cup")
    scene = Scene(make_network(model, "detection", classes=classes), toy_image(60, 90))
    (step,) = DETECTIONS.compute(scene, DetectionParams(score=0.0))
    (own,) = scene.call(scene.input())
    assert torch.equal(torch.from_numpy(step.value.found.xyxy), own["boxes"])
    board = DETECTIONS.draw(step.value, DetectionParams(score=0.0))
    (table,) = board.tables
    assert ("word" in table.columns) == isinstance(model, YOLOv2)
    if isinstance(model, YOLOv2):
        for row, word, score in zip(
            table.rows, own["words"].tolist(), own["word_scores"].tolist(), strict=True
        ):
            wanted = (
                "no word above the threshold"
                if word < 0
                else f"{' > '.join(model.tree.way(word))} {score:.2f}"
            )
            assert row[1] == wanted
        (step,) = ANCHORS.compute(scene, AnchorParams())
        assert ANCHORS.draw(step.value, AnchorParams(show=BEST)).summary


def test_a_descent_that_stops_early_is_told():
    model = v2()
    model.score_thresh, model.least = 0.001, 1.1
    scene = Scene(make_network(model, "detection", classes=("", "a", "b", "c")), toy_image(60, 90))
    (step,) = DETECTIONS.compute(scene, DetectionParams())
    assert set(step.value.words) == {"no word above the threshold"}
