"""Features on the disk come back as they were; what is damaged or another's does not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.vision.pipelines.rcnn import Features
from explorer.vision.race.feature_cache import FeatureCache
from explorer.vision.race.lanes import WarpedRegions
from tests.vision.pipelines.test_rcnn import body

BOXES = np.array([[0, 0, 9, 9], [1, 2, 30, 40]], np.float32)


def regions(seed: int = 0) -> WarpedRegions:
    rng = np.random.default_rng(seed)
    vector, maps = (rng.normal(size=(2, n)).astype(np.float32) for n in (8, 32))
    return WarpedRegions(BOXES, {"network": 1.5, "resize": 0.25}, [Features(vector, maps)])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "new" / "folder")
    path = cache.path("photo", body(), 32, BOXES)
    assert cache.read(path, BOXES) is None
    assert cache.size(path) == 0
    kept = cache.write(path, regions())
    assert cache.size(path) == kept.size == path.stat().st_size > 2 * 40 * 4
    found = cache.read(path, BOXES)
    assert found is not None
    assert found.complete
    assert found.seconds == {"network": 1.5, "resize": 0.25}
    assert np.array_equal(found.features().vector, regions().features().vector)
    assert np.array_equal(found.features().map, regions().features().map)


def test_every_part_of_the_question_has_a_file_of_its_own(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    other = body()
    with torch.no_grad():
        other.fc.bias[0] += 1
    paths = {
        cache.path("photo", body(), 32, BOXES),
        cache.path("another", body(), 32, BOXES),
        cache.path("photo", body(), 48, BOXES),
        cache.path("photo", body(), 32, BOXES[::-1]),
        cache.path("photo", other, 32, BOXES),
    }
    assert len(paths) == 5
    assert cache.path("photo", body(), 32, BOXES) in paths


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_a_damaged_file_counts_as_missing(tmp_path: Path, content: bytes) -> None:
    cache = FeatureCache(tmp_path)
    path = cache.path("photo", body(), 32, BOXES)
    path.write_bytes(content)
    assert cache.read(path, BOXES) is None
    cache.write(path, regions())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert cache.read(path, BOXES) is None


def test_features_of_other_regions_are_not_taken(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.write(tmp_path / "x.npz", regions())
    assert cache.read(tmp_path / "x.npz", BOXES[:1]) is None


def test_the_folder_stays_small_and_what_was_used_last_stays(tmp_path: Path) -> None:
    size = FeatureCache(tmp_path).write(tmp_path / "a.npz", regions()).size
    cache = FeatureCache(tmp_path, most=int(2.5 * size))
    cache.write(tmp_path / "b.npz", regions())
    for age, name in ((300, "b"), (400, "a")):
        os.utime(tmp_path / f"{name}.npz", (age, age))
    assert cache.read(tmp_path / "a.npz", BOXES) is not None  # now b was not used for longest
    cache.write(tmp_path / "c.npz", regions())
    assert sorted(path.stem for path in tmp_path.glob("*.npz")) == ["a", "c"]
    tiny = FeatureCache(tmp_path, most=1)
    tiny.write(tmp_path / "d.npz", regions())
    assert [path.stem for path in tmp_path.glob("*.npz")] == ["d"]


def test_a_folder_that_cannot_be_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = FeatureCache(tmp_path / "file" / "folder")
    with pytest.raises(ExplorerError, match="could not be written"):
        cache.write(cache.path("photo", body(), 32, BOXES), regions())
