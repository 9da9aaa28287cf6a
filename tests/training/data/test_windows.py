from dataclasses import replace

import cv2
import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.training.data.pool import Pool, PoolPhoto, read_pool, read_voc_pool
from explorer.training.data.windows import (
    RIVAL,
    SHARE,
    MainObject,
    WindowMaker,
    held_out_windows,
    main_objects,
    part_about,
)
from tests.evaluation.sets import voc_set
from tests.training.pool_toy import write_pool

NAMES = ("car", "person")


def photo(*boxes, size=(300, 200)):
    """(W, H) `size`, black, each box painted white."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = 255
    return PoolPhoto(
        None, np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.int64),
        np.zeros((0, 4), np.float32), size[0] / size[1], pixels=pixels, extent=size,
    )  # fmt: skip


def pool_of(*photos):
    return Pool(photos, ("background", "person"), ())


def test_a_window_has_all_of_its_object_and_keeps_the_shares():
    one, rng = MainObject(photo((60, 40, 140, 140)), 0, 0), np.random.default_rng(0)
    parts = [part_about(one, rng) for _ in range(200)]
    assert len(set(parts)) > 100
    for x0, y0, x1, y1 in parts:
        assert 0 <= x0 <= 60 < 140 <= x1 <= 300
        assert 0 <= y0 <= 40 < 140 <= y1 <= 200
        assert SHARE[0] <= 80 * 100 / ((x1 - x0) * (y1 - y0)) <= SHARE[1]


def test_a_window_shows_no_other_large_object():
    two, rng = photo((40, 40, 140, 140), (150, 40, 230, 140)), np.random.default_rng(0)
    parts = [part_about(MainObject(two, 0, 0), rng) for _ in range(50)]
    assert any(parts)
    for x0, _, x1, _ in filter(None, parts):
        across = max(0, min(230, x1) - max(150, x0))
        assert across * 100 <= RIVAL * 100 * 100
    over = photo((40, 40, 140, 140), (50, 40, 130, 140))
    assert part_about(MainObject(over, 0, 0), rng) is None


def test_small_objects_and_those_that_fill_the_photo_are_left_out():
    small, whole = photo((10, 10, 50, 50)), photo((0, 0, 300, 195))
    assert main_objects(pool_of(small, whole), ["person"]) == []
    with pytest.raises(ExplorerError, match="by itself"):
        WindowMaker(pool_of(small), ["person"], 32)


def test_boxes_lie_where_the_pixels_are():
    maker = WindowMaker(pool_of(photo((60, 40, 140, 140)), photo((150, 50, 260, 120))), NAMES, 96)
    for made in maker.batch(np.random.default_rng(3), 20):
        assert made.pixels.shape == (96, 96, 3)
        assert made.labels.tolist() == [1]
        gray = made.pixels.mean(axis=2)
        rows, columns = np.nonzero(gray > (gray.max() + gray.min()) / 2)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert seen == pytest.approx(made.boxes[0].tolist(), abs=1.5)


def test_rare_classes_are_drawn_more_often(monkeypatch):
    monkeypatch.setattr("explorer.training.data.windows.COMMON", 4)
    one = photo((60, 40, 140, 140))
    rare = replace(one, labels=np.array([2]))
    pool = Pool((one, one, one, one, rare), ("background", "person", "car"), ())
    made = WindowMaker(pool, NAMES, 16).batch(np.random.default_rng(0), 600)
    # sqrt(4 / 1) = 2 against 4 times 1
    assert np.mean([w.labels[0] == 0 for w in made]) == pytest.approx(1 / 3, abs=0.06)


def test_batches_and_held_out_windows_are_always_the_same(tmp_path):
    pool = read_pool(write_pool(tmp_path, size=(180, 240)), least=3)
    maker = WindowMaker(pool, NAMES, 32)
    one, two = (maker.batch(np.random.default_rng(5), 3) for _ in range(2))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, two, strict=True))
    first, second = (held_out_windows(pool, NAMES, 32, 2) for _ in range(2))
    assert len(first) > len(maker.objects)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, second, strict=True))


def test_vocs_photos_as_a_pool(tmp_path):
    pool = read_voc_pool(voc_set(tmp_path))
    (found,) = pool.photos
    assert [pool.names[label] for label in found.labels] == ["red", "red", "red"]
    assert found.boxes[:2].tolist() == [[5, 5, 25, 25], [30, 10, 50, 30]]
    height, width = cv2.imread(str(found.path)).shape[:2]
    assert found.extent == (width, height)
