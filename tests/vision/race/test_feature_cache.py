"""Features on the disk come back as they were; what is damaged or another's does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.storage.disk_cache import DiskCache
from explorer.vision.pipelines.rcnn import Features
from explorer.vision.race.feature_cache import FILE, FeatureCache
from explorer.vision.race.lanes import WarpedRegions
from tests.vision.pipelines.test_rcnn import body

BOXES = np.array([[0, 0, 9, 9], [1, 2, 30, 40]], np.float32)


def regions(seed: int = 0) -> WarpedRegions:
    rng = np.random.default_rng(seed)
    vector, maps = (rng.normal(size=(2, n)).astype(np.float32) for n in (8, 32))
    return WarpedRegions(BOXES, {"network": 1.5, "resize": 0.25}, [Features(vector, maps)])


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(DiskCache(tmp_path / "new" / "folder"))


def test_what_is_written_is_read(cache: FeatureCache) -> None:
    entry = cache.entry("photo", body(), 32, BOXES)
    assert cache.read(entry, BOXES) is None
    assert entry.size == 0
    assert cache.write(entry, regions())
    assert entry.size > 2 * 40 * 4
    found = cache.read(entry, BOXES)
    assert found is not None
    assert found.complete
    assert found.seconds == {"network": 1.5, "resize": 0.25}
    assert np.array_equal(found.features().vector, regions().features().vector)
    assert np.array_equal(found.features().map, regions().features().map)


def test_every_part_of_the_question_has_an_entry_of_its_own(cache: FeatureCache) -> None:
    other = body()
    with torch.no_grad():
        other.head.bias[0] += 1
    paths = {
        cache.entry("photo", body(), 32, BOXES).path,
        cache.entry("another", body(), 32, BOXES).path,
        cache.entry("photo", body(), 48, BOXES).path,
        cache.entry("photo", body(), 32, BOXES[::-1]).path,
        cache.entry("photo", other, 32, BOXES).path,
    }
    assert len(paths) == 5
    assert cache.entry("photo", body(), 32, BOXES).path in paths


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_a_damaged_file_counts_as_missing(cache: FeatureCache, content: bytes) -> None:
    entry = cache.entry("photo", body(), 32, BOXES)
    cache.write(entry, regions())
    whole = entry.file(FILE).read_bytes()
    entry.file(FILE).write_bytes(content)
    assert cache.read(entry, BOXES) is None
    entry.file(FILE).write_bytes(whole[: len(whole) // 2])
    assert cache.read(entry, BOXES) is None


def test_features_of_other_regions_are_not_taken(cache: FeatureCache) -> None:
    entry = cache.entry("photo", body(), 32, BOXES)
    cache.write(entry, regions())
    assert cache.read(entry, BOXES[:1]) is None


def test_what_another_program_is_writing_is_left_to_it(cache: FeatureCache) -> None:
    entry = cache.entry("photo", body(), 32, BOXES)
    with entry.filling() as mine:
        assert mine
        assert not cache.write(entry, regions())
    assert not entry.complete


def test_a_folder_that_cannot_be_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = FeatureCache(DiskCache(tmp_path / "file" / "folder"))
    with pytest.raises(ExplorerError, match="could not be written"):
        cache.write(cache.entry("photo", body(), 32, BOXES), regions())
