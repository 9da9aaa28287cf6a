"""An index holds what the network computed, of the photos as they are, and goes on where it was."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from explorer.batch.features import LayerFeatures
from explorer.batch.index import filling
from explorer.batch.index.filling import BATCH, Filling, filled
from explorer.batch.index.job import Index
from explorer.batch.index.store import (
    FEATURES,
    GENERATED,
    PEAKS,
    Entry,
    Segments,
    key_of,
    segments_in,
    write_segments,
)
from explorer.batch.photos import Photo, photos_of
from explorer.core.errors import ExplorerError
from explorer.core.storage.disk_cache import DiskCache
from explorer.images.image import open_image
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from tests.toys import ToyConvNet, make_network, toy_image, toy_network

COUNT = 3 * BATCH


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "photos"
    place.mkdir()
    for number in range(COUNT):
        save(place / f"{number}.png", number)
    return place


@pytest.fixture
def network() -> Network:
    return make_network(ToyConvNet(), "classification", preprocess=Preprocess(resize=(32, 32)))


def save(path: Path, seed: int) -> None:
    PIL.Image.fromarray(toy_image(24, 32, seed=seed).pixels).save(path)


def index(network: Network, kind: str = FEATURES, layer: str = "conv2") -> Index:
    return Index(LayerFeatures.of(network, layer), kind)


def fill(job: Index, folder: Path, cache: DiskCache) -> Filling:
    *_, last = filled(job, tuple(photos_of([str(folder)])), cache, str(folder))
    return last


def maps_of(network: Network, path: Path) -> torch.Tensor:
    kept: list[torch.Tensor] = []
    handle = network.module.conv2.register_forward_hook(lambda *a: kept.append(a[2].clone()))
    with torch.no_grad():
        network.module(network.preprocess(open_image(path).pixels))
    handle.remove()
    return kept[0][0]


def test_rows_are_what_the_layer_gave(folder: Path, network: Network, tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache")
    features = fill(index(network), folder, cache)
    peaks = fill(index(network, PEAKS), folder, cache)
    assert features.complete
    assert [entry.name for entry in features.entries] == [f"{k}.png" for k in range(COUNT)]
    for row, best in zip(features.entries, peaks.entries, strict=True):
        maps = maps_of(network, folder / row.name)
        np.testing.assert_allclose(row.arrays["feature"], maps.mean((1, 2)), rtol=2e-3, atol=1e-5)
        np.testing.assert_allclose(best.arrays["peak"], maps.amax((1, 2)), rtol=2e-3, atol=1e-5)
        np.testing.assert_array_equal(best.arrays["cell"], maps.flatten(1).argmax(1))
        assert (best.grid, best.spatial, best.size) == (maps.shape[1:], True, (32, 24))


def test_the_input_of_the_head_is_what_the_classifier_is_given(network: Network) -> None:
    values = network.preprocess(toy_image().pixels)
    ((grid, spatial, arrays),) = index(network, layer="").described([values])
    with torch.no_grad():
        logits = network.module(values)[0]
        mine = network.module.fc(torch.from_numpy(arrays["feature"].astype(np.float32)))
    np.testing.assert_allclose(mine, logits, atol=2e-3)
    assert (grid, spatial) == ((1, 1), False)


def test_a_replaced_photo_is_computed_again_and_no_other(
    folder: Path, network: Network, tmp_path: Path
) -> None:
    cache = DiskCache(tmp_path / "cache")
    before = fill(index(network), folder, cache)
    assert before.computed == COUNT
    assert fill(index(network), folder, cache).computed == 0
    save(folder / "5.png", 99)
    os.utime(folder / "5.png", ns=(1, 1))
    after = fill(index(network), folder, cache)
    assert after.computed == 1
    same = [
        np.array_equal(old.arrays["feature"], new.arrays["feature"])
        for old, new in zip(before.entries, after.entries, strict=True)
    ]
    assert same == [k != 5 for k in range(COUNT)]
    assert fill(index(network), folder, cache).computed == 0
    (folder / "6.png").unlink()
    assert [e.name for e in fill(index(network), folder, cache).entries].count("6.png") == 0


def test_it_goes_on_where_it_was_closed(
    folder: Path, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "LEAST_SAVED", BATCH)
    cache = DiskCache(tmp_path / "cache")
    photos = tuple(photos_of([str(folder)]))
    steps = filled(index(network), photos, cache, str(folder))
    assert next(steps).done == 0
    assert next(steps).done == BATCH
    steps.close()
    rest = filled(index(network), photos, cache, str(folder))
    assert next(rest).done == BATCH
    *_, last = rest
    assert (last.computed, last.complete) == (COUNT - BATCH, True)
    assert [entry.name for entry in last.entries] == [photo.name for photo in photos]


def test_what_cannot_be_read_is_listed_and_tried_again(
    folder: Path, network: Network, tmp_path: Path
) -> None:
    (folder / "7.png").write_bytes(b"no picture")
    cache = DiskCache(tmp_path / "cache")
    state = fill(index(network), folder, cache)
    assert state.complete
    assert [name for name, _ in state.failures] == ["7.png"]
    assert "not a picture" in state.failures[0][1]
    assert len(state.entries) == COUNT - 1
    save(folder / "7.png", 7)
    assert fill(index(network), folder, cache).computed == 1


def test_weights_and_layers_have_rows_of_their_own(
    folder: Path, network: Network, tmp_path: Path
) -> None:
    cache = DiskCache(tmp_path / "cache")
    fill(index(network), folder, cache)
    with torch.no_grad():
        network.module.conv2.weight.add_(1.0)
    other = make_network(network.module, "classification", preprocess=network.preprocess)
    assert fill(index(other), folder, cache).computed == COUNT
    assert fill(index(other, layer="conv1"), folder, cache).computed == COUNT


def test_a_damaged_segment_is_computed_again(
    folder: Path, network: Network, tmp_path: Path
) -> None:
    cache = DiskCache(tmp_path / "cache")
    fill(index(network), folder, cache)
    (path,) = (tmp_path / "cache").rglob("0*.npz")
    path.write_bytes(path.read_bytes()[:200])
    state = fill(index(network), folder, cache)
    assert (state.computed, state.complete) == (COUNT, True)
    assert fill(index(network), folder, cache).computed == 0


def test_a_layer_without_an_output_for_each_photo_is_one_sentence(
    folder: Path, tmp_path: Path
) -> None:
    network = toy_network("detection")
    job = index(network, layer="roi_heads.box_predictor.cls_score")
    with pytest.raises(ExplorerError, match="not one tensor for each photo"):
        fill(job, folder, DiskCache(tmp_path / "cache"))


def rows(count: int, channels: int) -> list[Entry]:
    feature = np.arange(channels, dtype=np.float16)
    return [
        Entry((f"{k}.jpg", f"/photos/{k}.jpg", 1, k), f"{k}.jpg", f"/photos/{k}.jpg", (640, 480),
              (1, 1), False, {"feature": feature})
        for k in range(count)
    ]  # fmt: skip


def test_a_hundred_thousand_photos_take_less_than_300_megabytes(tmp_path: Path) -> None:
    write_segments(tmp_path, rows(1024, 1280))
    written = sum(path.stat().st_size for path in segments_in(tmp_path))
    assert written * 100_000 / 1024 < 300e6


def test_newer_rows_replace_older_ones_until_they_are_rewritten(tmp_path: Path) -> None:
    segments = Segments(tmp_path)
    first = rows(4, 3)
    segments.append(first)
    newer = Entry(
        first[1].key, "1.jpg", "/photos/1.jpg", (640, 480), (1, 1), False,
        {"feature": np.full(3, 7, np.float16)},
    )  # fmt: skip
    for _ in range(3):
        segments.append([newer])
    found = Segments(tmp_path)
    known = found.read()
    assert len(known) == 4
    np.testing.assert_array_equal(known[newer.key].arrays["feature"], newer.arrays["feature"])
    assert found.wasteful(4)
    found.rewrite(list(known.values()))
    assert len(segments_in(tmp_path)) == 1
    again = Segments(tmp_path)
    assert again.read().keys() == known.keys()
    assert not again.wasteful(4)


def test_a_photo_of_another_machine_cannot_be_found_again() -> None:
    assert key_of(Photo("a.jpg", "s3://bucket/a.jpg")) is None
    assert key_of(Photo("Shapes", f"{GENERATED}shapes")) is not None
