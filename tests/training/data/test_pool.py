import json
from dataclasses import replace

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.training.data.canvases import (
    SHAPES,
    Canvas,
    CanvasMaker,
    joined,
    mirrored,
    placed,
    recolored,
    repeats,
    visible,
)
from explorer.training.data.pool import Pool, masked, people, read_lspet, read_pool, with_classes
from tests.training.pool_toy import COLORS, write_pool

ONE = (1.0, 1.0)


def canvas(boxes, ignored=(), size=(40, 60)):
    return Canvas(
        np.zeros((*size, 3), np.uint8),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.arange(1, len(boxes) + 1),
        np.array(ignored, np.float32).reshape(-1, 4),
    )


def test_sure_boxes_are_objects_and_unsure_ones_are_ignored(tmp_path):
    pool = read_pool(write_pool(tmp_path), least=3)
    assert pool.names == ("background", "person", "car")
    assert pool.left_out == ("boat",)
    photo = pool.photos[0]
    assert photo.labels.tolist() == [1, 2]
    assert (photo.boxes[:, 2:] - photo.boxes[:, :2]).tolist() == [[26, 20], [26, 20]]
    assert photo.ignored.shape == (1, 4)
    assert photo.aspect == 80 / 60


def test_rare_categories_are_left_out_and_their_places_ignored(tmp_path):
    pool = read_pool(write_pool(tmp_path, count=2), least=3)
    assert pool.names == ("background",)
    assert pool.photos[0].labels.tolist() == []
    assert len(pool.photos[0].ignored) == 3


@pytest.mark.parametrize(
    ("image", "aspect"), [({"squashed": True}, 0), ({"squashed": True, "aspect": 1.5}, 1.5)]
)
def test_a_squashed_photo_says_its_aspect_where_it_is_known(tmp_path, image, aspect):
    assert read_pool(write_pool(tmp_path, **image), least=3).photos[0].aspect == aspect


@pytest.mark.parametrize("content", ["{", '{"images": []}', '{"categories": 3}'])
def test_what_is_no_such_file_is_refused_in_words(tmp_path, content):
    (tmp_path / "instances.json").write_text(content)
    with pytest.raises(ExplorerError, match="cannot be read as COCO annotations"):
        read_pool(tmp_path)
    with pytest.raises(ExplorerError, match="cannot be read as COCO annotations"):
        read_pool(tmp_path / "nothing")


def test_boxes_stay_on_their_objects(tmp_path):
    maker = CanvasMaker(read_pool(write_pool(tmp_path), least=3))
    rng = np.random.default_rng(1)
    seen = 0
    for kind in range(8):
        for made in maker.batch(rng, 2, mosaics=float(kind % 2)):
            assert made.pixels.shape[:2] in SHAPES
            assert made.pixels.dtype == np.uint8
            for box, label in zip(made.boxes, made.labels, strict=True):
                x, y = ((box[:2] + box[2:]) / 2).astype(int)
                color = made.pixels[y, x].astype(int)
                strongest = np.argmax(COLORS[{1: 1, 2: 3}[label]])
                others = [i for i in range(3) if i != strongest]
                # the two boxes of a photo may cover each other, and some canvases are gray
                seen += color[strongest] > color[others].max() + 20
    assert seen > 20


def test_batches_are_a_function_of_their_generator(tmp_path):
    maker = CanvasMaker(read_pool(write_pool(tmp_path), least=3))
    one, two = (maker.batch(np.random.default_rng(5), 3) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.pixels, b.pixels)
        assert np.array_equal(a.boxes, b.boxes)
    shapes = {c.pixels.shape for c in one}
    assert len(shapes) == 1


def test_a_squashed_photo_gets_its_aspect_back(tmp_path, monkeypatch):
    monkeypatch.setattr("explorer.training.data.canvases.ASPECT_JITTER", 0.0)
    folder = write_pool(tmp_path, size=(60, 60), squashed=True, aspect=2.0)
    photo = read_pool(folder, least=3).photos[0]
    made = placed(photo, 0, (100, 200), ONE, np.random.default_rng(0))
    assert (made.pixels == 127).all(axis=2).mean() < 0.01  # twice as wide as high: it fills it
    sides = made.boxes[:, 2:] - made.boxes[:, :2]
    assert np.allclose(sides[:, 0] / sides[:, 1], 2.0, atol=0.1)


def test_masks_go_where_their_photos_go(tmp_path):
    pool = masked(read_pool(write_pool(tmp_path, masks=True), least=3), tmp_path)
    maker = CanvasMaker(pool)
    rng = np.random.default_rng(3)
    right = wrong = 0
    for number in range(6):
        for made in maker.batch(rng, 2, mosaics=float(number % 2)):
            assert made.mask.shape == made.pixels.shape[:2]
            assert set(np.unique(made.mask)) <= {0, 7, 15, 255}
            red, green = (made.pixels[..., i].astype(int) for i in (0, 1))
            colored = np.isin(made.mask, (7, 15)) & (np.abs(red - green) > 60)
            agrees = (red > green) == (made.mask == 15)
            right += (colored & agrees).sum()
            wrong += (colored & ~agrees).sum()
    assert right > 1000 + 20 * wrong


def test_without_masks_nothing_can_be_segmented(tmp_path):
    with pytest.raises(ExplorerError, match="There are no masks in"):
        masked(read_pool(write_pool(tmp_path), least=3), tmp_path)


def test_joints_go_where_their_people_go(tmp_path):
    pool = people(read_pool(write_pool(tmp_path, joints=True), least=3))
    assert pool.photos[0].joints.shape == (2, 17, 3)
    assert not pool.photos[0].joints[1].any()  # the car
    rng = np.random.default_rng(4)
    for made in (made for _ in range(6) for made in CanvasMaker(pool).batch(rng, 2, 0.0)):
        for box, label, joints in zip(made.boxes, made.labels, made.joints, strict=True):
            seen = joints[:, 2] > 0
            assert not seen.any() or label == 1
            inside = (joints[seen, :2] >= box[:2] - 1) & (joints[seen, :2] <= box[2:] + 1)
            assert inside.all()


def test_mirrored_joints_by_hand():
    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, 0], joints[0, 5] = (10, 4, 2), (20, 6, 1)
    found = mirrored(replace(canvas([[5, 0, 25, 10]]), joints=joints)).joints[0]
    assert found[0].tolist() == [50, 4, 2]
    assert found[6].tolist() == [40, 6, 1]  # the left shoulder has become the right one
    assert not found[[i for i in range(17) if i not in (0, 6)]].any()
    assert joints[0, 5].tolist() == [20, 6, 1]


def test_joints_outside_are_not_known():
    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, 0], joints[0, 5] = (-2, 4, 2), (20, 6, 1)
    found = visible(replace(canvas([[5, 0, 25, 10]]), joints=joints)).joints[0]
    assert found[0].tolist() == [0, 0, 0]
    assert found[5].tolist() == [20, 6, 1]


def write_lspet(folder):
    joints = [value for i in range(14) for value in (i, 2 * i, 2)]
    joints[:3] = [0, 0, 0]
    image = {"width": 60, "height": 40}
    content = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "split": "train", **image},
            {"id": 2, "file_name": "b.jpg", "split": "validation", **image},
        ],
        "annotations": [
            {"image_id": i, "bbox": [1, 2, 30, 20], "keypoints": joints} for i in (1, 2)
        ],
    }
    folder.mkdir(exist_ok=True)
    (folder / "joints.json").write_text(json.dumps(content))
    return folder


def test_the_joints_of_leeds_get_cocos_places(tmp_path):
    (photo,) = read_lspet(write_lspet(tmp_path), "validation")
    assert photo.path.name == "b.jpg"
    assert photo.boxes.tolist() == [[1, 2, 31, 22]]
    joints = photo.joints[0]
    assert joints[16].tolist() == [0, 0, 0]  # the right ankle, which is missing
    assert joints[14].tolist() == [1, 2, 2]  # the right knee
    assert joints[9].tolist() == [11, 22, 2]  # the left wrist
    assert not joints[:5].any()
    assert [p.path.name for p in read_lspet(tmp_path, "train")] == ["a.jpg"]
    with pytest.raises(ExplorerError, match="is for test"):
        read_lspet(tmp_path, "test")
    with pytest.raises(ExplorerError, match="cannot be read as COCO keypoints"):
        read_lspet(tmp_path / "nothing", "validation")


def test_a_photo_that_is_gone_is_said(tmp_path):
    photo = read_pool(write_pool(tmp_path), least=3).photos[0]
    with pytest.raises(ExplorerError, match="cannot be read"):
        placed(
            replace(photo, path=tmp_path / "gone.png"), 0, (64, 80), ONE, np.random.default_rng(0)
        )


def test_objects_of_which_little_is_left_are_ignored():
    found = visible(canvas([[10, 10, 30, 30], [-30, 0, 10, 20], [58, 5, 80, 9], [5, 5, 8, 30]]))
    assert found.boxes.tolist() == [[10, 10, 30, 30]]
    assert found.labels.tolist() == [1]
    assert found.ignored.tolist() == [[0, 0, 10, 20], [58, 5, 60, 9], [5, 5, 8, 30]]
    outside = visible(canvas([[-50, 0, -10, 20]]))
    assert len(outside.boxes) == len(outside.ignored) == 0


def test_mirrored_by_hand():
    made = canvas([[10, 5, 20, 15]], [[0, 0, 6, 6]])
    made.pixels[5:15, 10:20] = 200
    found = mirrored(made)
    assert found.boxes.tolist() == [[40, 5, 50, 15]]
    assert found.ignored.tolist() == [[54, 0, 60, 6]]
    assert (found.pixels[5:15, 40:50] == 200).all()


def test_joined_by_hand():
    left, right = canvas([[1, 2, 9, 9]], size=(20, 10)), canvas([[0, 0, 5, 5]], size=(20, 30))
    right.pixels[:] = 7
    found = joined([(left, 0, 0), (right, 0, 10)], (20, 40))
    assert found.boxes.tolist() == [[1, 2, 9, 9], [10, 0, 15, 5]]
    assert found.pixels[0, :, 0].tolist() == [0] * 10 + [7] * 30


def test_colors_change_and_boxes_do_not():
    made = canvas([[1, 2, 9, 9]])
    made.pixels[:] = (200, 100, 30)
    found = recolored(made, np.random.default_rng(2))
    assert not np.array_equal(found.pixels, made.pixels)
    assert found.boxes is made.boxes


def test_rare_categories_are_drawn_more_often(tmp_path):
    pool = read_pool(write_pool(tmp_path, count=40), least=3)
    common = [replace(photo, labels=np.array([1]), boxes=photo.boxes[:1]) for photo in pool.photos]
    rare = replace(common[0], labels=np.array([2]))
    maker = CanvasMaker(Pool((*common * 20, rare), pool.names, ()))
    rng = np.random.default_rng(0)
    labels = np.concatenate([c.labels for _ in range(150) for c in maker.batch(rng, 4, 0.0)])
    # one photo in 801, drawn three times as often
    assert 0 < (labels == 2).sum() < 12


def test_repeat_factors_by_hand():
    shown = [np.array([0, 1])] * 16 + [np.array([0, 2]), np.array([], np.int64)]
    found = repeats(shown, 3, common=16, most=3.0)
    # 17 photos show class 0, 16 show class 1; one of 16 would be 4 times as often, 3 is the most
    assert found.tolist() == [1.0] * 16 + [3.0, 1.0]
    assert repeats(shown, 3, common=64, most=9.0).tolist() == [2.0] * 16 + [8.0, 1.0]


def test_a_pool_with_other_classes_has_their_names_and_no_other_objects(tmp_path):
    pool = read_pool(write_pool(tmp_path / "pool", joints=True), least=3)
    assert pool.names == ("background", "person", "car")
    found = with_classes(pool, ("background", "aeroplane", "car"))
    assert found.names == ("background", "aeroplane", "car")
    assert found.left_out == ("aeroplane",)
    for old, new in zip(pool.photos, found.photos, strict=True):
        cars = old.labels == 2
        assert new.labels.tolist() == [2] * int(cars.sum())
        assert (new.boxes == old.boxes[cars]).all()
        assert (new.ignored == old.ignored).all()
        assert len(new.joints) == len(new.boxes)
