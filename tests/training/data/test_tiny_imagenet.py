import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.resources import resource_path
from explorer.training.data.superclasses import group_labels, group_names, group_of
from explorer.training.data.tiny_imagenet import (
    Photos,
    read_categories,
    read_photos,
    read_shipped_categories,
    write_categories,
)
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


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        Photos(
            np.zeros((2, 8, 8, 3), np.uint8), np.zeros(2, np.int64), np.zeros((2, 3), np.float32)
        )


def test_the_way_from_the_root(folder):
    categories = read_categories(folder)
    assert [c.name for c in categories] == ["red thing", "green thing", "dog", "hill"]
    assert categories[1].path == ("entity", "artefact", "car", "green thing")
    assert categories[1].ids == ("n0", "n00021939", "n02958343", "n2")


def test_the_nearest_rule_gives_the_group(folder):
    categories = read_categories(folder)
    assert [group_of(c) for c in categories] == ["device or toy", "car", "dog", None]
    names = group_names()
    labels = group_labels(categories)
    assert [names[label - 1] for label in labels[:3]] == ["device or toy", "car", "dog"]
    assert labels[3] == 0


def test_categories_survive_the_shipped_file(folder, tmp_path):
    categories = read_categories(folder)
    write_categories(categories, tmp_path / "classes" / "toy.json")
    assert read_shipped_categories(tmp_path / "classes" / "toy.json") == categories


def test_every_group_has_members_and_few_classes_have_none():
    categories = read_shipped_categories(resource_path("classes", "tiny-imagenet.json"))
    assert len({c.wnid for c in categories}) == len({c.name for c in categories}) == 200
    by_name = {c.name: group_of(c) for c in categories}
    assert set(by_name.values()) == {*group_names(), None}
    assert by_name["Chihuahua"] == "dog"
    assert by_name["lion"] == "cat"
    assert by_name["school bus"] == "truck, bus or train"
    assert by_name["espresso"] == "food"
    assert by_name["punching bag"] == "device or toy"
    without = sorted(name for name, group in by_name.items() if group is None)
    assert without == [
        *("alp", "barbershop", "butcher shop", "cliff", "comic book", "confectionery"),
        *("coral reef", "lakeside", "seashore", "spider web"),
    ]
