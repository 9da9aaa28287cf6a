import numpy as np
import pytest
import torch

from explorer.networks.embedded.lite import efficientnet_lite0
from explorer.training.data.pool import read_pool
from explorer.training.lessons.lite import regions as lesson
from explorer.training.lessons.registry import Material
from explorer.vision.detection.boxes import decode, iou_matrix
from explorer.vision.pipelines import rcnn
from tests.training.pool_toy import write_pool
from tests.vision.pipelines.test_rcnn import body


class Made:
    """Examples by hand: 60 regions, four numbers each."""

    def __init__(self):
        rng = np.random.default_rng(1)
        self.label = np.arange(60) % 3 - 1  # -1, 0, 1
        self.vector = rng.normal(0, 0.1, (60, 4)).astype(np.float32)
        self.vector[np.arange(60), self.label + 1] += 1
        self.map = rng.normal(size=(60, 6)).astype(np.float32)
        self.boxes = np.tile(np.array([10, 10, 30, 30], np.float32), (60, 1))
        # class 0 lies 4 pixels to the right of its region, class 1 is twice as high
        right, high = np.array([14, 10, 34, 30]), np.array([10, 0, 30, 40])
        self.truth = np.where(self.label[:, None] == 0, right, high).astype(np.float32)
        self.iou = np.where(self.label < 0, 0.0, 0.65).astype(np.float32)
        self.own = self.label >= 0
        self.cover = np.stack([self.label == k for k in range(3)], axis=1).astype(np.float32)
        self.photo = np.arange(60) // 6


def test_svms_tell_the_classes_apart_and_say_no_to_a_class_without_examples():
    made = Made()
    weight, bias = lesson.svms(made, made.vector, 3)
    margins = made.vector @ weight.T + bias
    assert (margins[:, 2] == -1).all()
    for k in (0, 1):
        assert margins[made.label == k, k].min() > margins[made.label != k, k].max()


def test_the_regressor_learns_the_shift():
    made = Made()
    made.truth[:] = [14, 10, 34, 30]
    weight, bias = lesson.regressor(made, made.map)
    assert weight.shape == (1, 4, 6)
    row = np.flatnonzero(made.label == 0)[:1]
    deltas = (weight[0] @ made.map[row[0]] + bias[0])[None].astype(np.float32)
    assert decode(deltas, made.boxes[row])[0] == pytest.approx([14, 10, 34, 30], abs=1.0)


def test_photos_are_chosen_class_by_class(tmp_path, monkeypatch):
    pool = read_pool(write_pool(tmp_path / "pool", count=8), least=3)
    monkeypatch.setattr(lesson, "PHOTOS", 5)
    chosen = lesson.chosen_photos(pool.photos, 2, seed=0)
    assert len({photo.path for photo in chosen}) == len(chosen) == 5


def test_examples_know_which_object_they_show(tmp_path):
    pool = read_pool(write_pool(tmp_path / "pool", count=4), least=3)
    found = lesson.Examples(body(), pool.photos, 2, seed=0)
    assert found.maps.shape[:2] == (len(found.label), 8)
    assert found.pooled.vector.shape == (len(found.label), 40)
    for number, photo in enumerate(pool.photos):
        here = found.photo == number
        assert len(found.boxes[here & found.own]) == len(photo.boxes)
        overlap = iou_matrix(found.boxes[here], photo.boxes)
        assert np.allclose(found.iou[here], overlap.max(axis=1))
        assert np.array_equal(found.label[here], photo.labels[overlap.argmax(axis=1)] - 1)
        assert np.allclose(found.cover[here].max(axis=1), found.iou[here])
        hidden = iou_matrix(found.boxes[here], photo.ignored).max(axis=1)
        assert ((hidden < lesson.UNSURE) | (found.iou[here] >= lesson.POSITIVE)).all()


def test_kept_maps_give_the_features_of_the_pipeline():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    boxes = np.array([[0, 0, 40, 40], [10, 5, 70, 50]], np.float32)
    own = body()
    seen = lesson.features_of(own, lesson.warped_maps(own, pixels, boxes))
    expected = rcnn.features(own, rcnn.warp(pixels, boxes, lesson.SIDE))
    assert np.allclose(seen.vector, expected.vector, atol=1e-5)
    assert np.allclose(seen.map, expected.map, atol=1e-5)


def test_fine_tuning_moves_the_last_convolution_alone(tmp_path, monkeypatch):
    pool = read_pool(write_pool(tmp_path / "pool", count=4), least=3)
    monkeypatch.setattr(lesson, "STEPS", 3)
    before = body()
    kept = {key: value.clone() for key, value in before.state_dict().items()}
    after = lesson.fine_tuned(before, lesson.Examples(before, pool.photos, 2, seed=0), 2, seed=0)
    assert all(torch.equal(kept[key], value) for key, value in before.state_dict().items())
    changed = {k for k, v in after.state_dict().items() if not torch.equal(kept[k], v)}
    assert changed == {"head.weight", "head.bias"}


def test_the_lesson_writes_what_the_view_loads(tmp_path, monkeypatch):
    folder = write_pool(tmp_path / "data", count=32)
    model = efficientnet_lite0().eval()
    with torch.no_grad():  # untrained, it would answer numbers too small for the SVMs' half floats
        model.blocks[-1][0].bn3.bias.normal_()
        model.bn2.bias.fill_(1)
    monkeypatch.setattr(lesson.detector, "classifier_weights", lambda material: model.state_dict())
    monkeypatch.setattr(lesson, "PHOTOS", 4)
    monkeypatch.setattr(lesson, "STEPS", 2)
    lesson.fit("lite-rcnn", Material(folder, tmp_path), tmp_path / "out")
    own = rcnn.load(tmp_path / "out" / "lite-rcnn.safetensors", model)
    assert own.classes[14] == "person"
    assert own.card["metrics"] == {}  # no photos were given for them
    assert own.heads.svm_weight[14].any()
    assert not own.heads.svm_weight[0].any()  # no aeroplane was seen
