import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.networks.class_names import read_shipped_categories
from explorer.training.data.tiny_imagenet import read_categories, read_photos, write_categories
from tests.training.toy import toy_photos, write_data


@pytest.fixture
def folder(tmp_path):
    write_data(tmp_path / "data")
    return tmp_path / "data"


def test_photos_labels_and_boxes_come_back(folder, tmp_path):
    photos, made = read_photos(folder, "train", tmp_path / "cache"), toy_photos()
    assert np.array_equal(photos.labels, made.labels)
    assert np.array_equal(photos.boxes, made.boxes)  # inclusive in the file, edges here
    assert np.abs(photos.pixels.astype(int) - made.pixels).mean() < 5  # JPEG


def test_the_second_reading_maps_the_decoded_pixels(folder, tmp_path):
    first = read_photos(folder, "train", tmp_path / "cache")
    second = read_photos(folder, "train", tmp_path / "cache")
    assert isinstance(second.pixels, np.memmap)
    assert np.array_equal(first.pixels, second.pixels)
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["train-pixels.npy"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ExplorerError, match=r"no train\.npz in"):
        read_photos(tmp_path, "train", tmp_path)


def test_the_way_from_the_root(folder):
    categories = read_categories(folder)
    assert [c.name for c in categories] == ["red thing", "green thing", "dog", "hill"]
    assert categories[1].path == ("entity", "artifact", "car", "green thing")
    assert categories[1].ids == ("n0", "n00021939", "n02958343", "n2")


def test_categories_survive_the_shipped_file(folder, tmp_path):
    categories = read_categories(folder)
    write_categories(categories, tmp_path / "classes" / "toy.json")
    assert read_shipped_categories(tmp_path / "classes" / "toy.json") == categories
