import numpy as np
import pytest

from explorer.evaluation.scenes import SceneMaker
from explorer.networks.embedded import MiniResNet
from explorer.training.lessons import rcnn as lesson
from explorer.training.lessons.registry import Material
from explorer.vision.detection.boxes import decode, iou_matrix
from explorer.vision.pipelines.rcnn import load
from tests.training.toy import toy_photos, write_data


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
        self.scene = np.arange(60) // 6


def test_svms_tell_the_classes_apart_and_say_no_to_a_class_without_examples():
    made = Made()
    weight, bias = lesson.svms(made, made.vector, 3)
    margins = made.vector @ weight.T + bias
    assert (margins[:, 2] == -1).all()
    for k in (0, 1):
        assert margins[made.label == k, k].min() > margins[made.label != k, k].max()


def test_regressors_learn_the_shift_of_their_class():
    made = Made()
    weight, bias = lesson.regressors(made, made.map, 3)
    for k, expected in ((0, [14, 10, 34, 30]), (1, [10, 0, 30, 40])):
        row = np.flatnonzero(made.label == k)[:1]
        deltas = (weight[k] @ made.map[row[0]] + bias[k])[None].astype(np.float32)
        assert decode(deltas, made.boxes[row])[0] == pytest.approx(expected, abs=1.0)
    assert not weight[2].any()


def test_examples_know_which_object_they_show():
    maker = SceneMaker(toy_photos(24), [1, 2, 3, 0], side=96)
    scenes = [maker.make(np.random.default_rng(i)) for i in range(4)]
    body = MiniResNet(4, widths=(4, 8, 8, 8)).eval()
    found = lesson.Examples(body, scenes, 3, seed=0)
    warped, pyramid = found.seen
    assert warped.vector.shape == (len(found.label), 8)
    assert warped.map.shape == pyramid.map.shape == (len(found.label), 32)
    assert pyramid.vector.shape == (len(found.label), 40)
    for number, scene in enumerate(scenes):
        here = found.scene == number
        assert np.array_equal(found.boxes[here & found.own], scene.boxes)
        assert np.array_equal(found.label[here & found.own], scene.labels - 1)
        overlap = iou_matrix(found.boxes[here], scene.boxes).max(axis=1, initial=0)
        assert np.allclose(found.iou[here], overlap)
        assert np.allclose(found.cover[here].max(axis=1), overlap)
    near = (found.iou >= lesson.NEAR) & ~found.own
    assert near.sum() >= 4


def test_the_lesson_writes_what_the_view_loads(tmp_path, monkeypatch):
    write_data(tmp_path / "data")
    body = MiniResNet(4, widths=(4, 8, 8, 8)).eval()
    monkeypatch.setattr(lesson, "mini_resnet", lambda classes: MiniResNet(4, widths=(4, 8, 8, 8)))
    monkeypatch.setattr(Material, "trained", lambda self, name: body.state_dict())
    monkeypatch.setattr(lesson, "SCENES", 6)
    monkeypatch.setattr(lesson, "HELD_OUT", 2)
    material = Material(tmp_path / "data", tmp_path)
    lesson.fit("mini-rcnn", material, tmp_path / "out")
    own = load(tmp_path / "out" / "mini-rcnn.safetensors", body)
    assert own.card["measured_on"].startswith("2 scenes")
    assert set(own.card["metrics"]) == {"R-CNN", "SPP-net"}
    again = lesson.measure(own, material, 2)
    assert again == own.card["metrics"]
