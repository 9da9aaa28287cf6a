import numpy as np
import pytest

from explorer.evaluation import scenes
from explorer.evaluation.scenes import SceneMaker
from tests.training.toy import COLORS, toy_photos

GROUPS = [1, 2, 3, 0]  # the fourth class is no thing


@pytest.fixture(scope="module")
def maker():
    return SceneMaker(toy_photos(40), GROUPS, side=160)


@pytest.fixture(scope="module")
def masking(maker):
    """The same with the boxes' left halves as masks."""
    masks = np.zeros((40, 64, 64), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, maker.photos.boxes.astype(int), strict=True):
        mask[y0:y1, x0 : (x0 + x1) // 2] = True
    return SceneMaker(maker.photos, GROUPS, side=160, masks=np.packbits(masks, axis=-1))


def test_a_cut_carries_the_box_to_where_its_pixels_are(maker):
    rng = np.random.default_rng(1)
    photos = maker.photos
    for index in range(12):
        part = np.array([2, 3, 62, 61], np.float32)  # the object is well inside
        patch, box, mask = scenes.cut_patch(photos, index, part, (180, 116), rng)
        assert mask is None
        color = COLORS[photos.labels[index]].astype(float)
        share = (patch.astype(float) - 20) @ (color - 20) / ((color - 20) @ (color - 20))
        ys, xs = np.nonzero(share > 0.5)
        found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        assert found == pytest.approx(box, abs=2.1)  # a photo's pixel is 3 by 2 here


def test_the_object_fills_its_box(maker):
    looked_at = 0
    for seed in range(60):
        scene = maker.make(np.random.default_rng(seed))
        if len(scene.labels) != 1:  # others may lie on top
            continue
        x0, y0, x1, y1 = (round(float(v)) for v in scene.boxes[0])
        inside = scene.pixels[y0:y1, x0:x1].reshape(-1, 3).astype(float)
        color = COLORS[scene.labels[0] - 1].astype(float)
        cosine = (inside.mean(0) @ color) / np.linalg.norm(inside.mean(0)) / np.linalg.norm(color)
        assert cosine > 0.95
        looked_at += 1
    assert looked_at >= 10


def test_boxes_lie_in_the_picture_and_only_things_have_one(maker):
    counts = []
    for seed in range(60):
        scene = maker.make(np.random.default_rng(seed))
        assert scene.pixels.shape == (160, 160, 3)
        assert scene.pixels.dtype == np.uint8
        assert scene.boxes.shape == (len(scene.labels), 4)
        assert scene.boxes.dtype == np.float32
        assert (scene.boxes >= 0).all()
        assert (scene.boxes <= 160).all()
        assert (scene.boxes[:, 2:] - scene.boxes[:, :2] >= 8).all()
        assert set(scene.labels) <= {1, 2, 3}
        counts.append(len(scene.labels))
    assert min(counts) <= 1
    assert max(counts) >= 5


def test_a_scene_is_a_function_of_its_generator(maker):
    one, same, other = (maker.make(np.random.default_rng(s)) for s in (7, 7, 8))
    assert np.array_equal(one.pixels, same.pixels)
    assert np.array_equal(one.boxes, same.boxes)
    assert not np.array_equal(one.pixels, other.pixels)


def test_the_visible_part_of_a_box_by_hand():
    window = (0, 0, 100, 100)
    box = np.array([-10, 20, 30, 60], np.float32)
    assert scenes.visible_part(box, window).tolist() == [0, 20, 30, 60]
    assert (
        scenes.visible_part(np.array([-70, 0, 30, 50], np.float32), window) is None
    )  # 30 % is left
    assert scenes.visible_part(np.array([95, 0, 103, 50], np.float32), window) is None  # too narrow
    assert scenes.covered_share(np.array([0, 0, 10, 10]), (5, 0, 20, 10)) == 0.5


def test_tiles_cover_the_picture_once():
    for seed in range(20):
        hits = np.zeros((90, 90), int)
        for x0, y0, x1, y1 in scenes.split_tiles(np.random.default_rng(seed), 90):
            hits[y0:y1, x0:x1] += 1
        assert (hits == 1).all()


def test_masks_change_nothing_else(maker, masking):
    for seed in range(10):
        plain, masked = (m.make(np.random.default_rng(seed)) for m in (maker, masking))
        assert plain.masks is None
        assert masked.masks.shape == (len(masked.labels), 160, 160)
        assert masked.masks.dtype == bool
        assert np.array_equal(plain.pixels, masked.pixels)
        assert np.array_equal(plain.boxes, masked.boxes)


def test_masks_lie_on_their_objects(masking):
    sides = set()
    for seed in range(80):
        scene = masking.make(np.random.default_rng(seed))
        assert (scene.masks.sum(0) <= 1).all()  # what lies on top hides what is below
        for mask, box, label in zip(scene.masks, scene.boxes, scene.labels, strict=True):
            rows, columns = np.nonzero(mask)
            if len(rows) < 100:  # hidden, or cut off
                continue
            found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            assert (found[:2] >= box[:2] - 1.6).all()
            assert (found[2:] <= box[2:] + 1.6).all()
            color = COLORS[label - 1].astype(float)
            seen = scene.pixels[mask].astype(float).mean(0)
            assert seen @ color / np.linalg.norm(seen) / np.linalg.norm(color) > 0.9
            if len(scene.labels) == 1 and found[2] - found[0] < 0.6 * (box[2] - box[0]):
                middle = (found[0] + found[2]) / 2
                sides.add("left" if middle < (box[0] + box[2]) / 2 else "right")
    assert sides == {"left", "right"}  # mirrored with its photo
