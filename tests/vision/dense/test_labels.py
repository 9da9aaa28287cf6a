"""What an index of a mask means for a network."""

import numpy as np

from explorer.vision.dense.labels import object_classes, true_classes

MASK = np.array([[0, 1, 2], [3, 9, 255]], np.uint8)


def test_a_mask_is_painted_with_all_but_the_background() -> None:
    assert object_classes(("background", "cat", "dog", "cat")) == ("cat", "dog")
    assert object_classes(("cat", "dog")) == ("cat", "dog")


def test_indices_are_places_among_the_classes() -> None:
    names = ("background", "cat", "dog", "car")
    assert true_classes(MASK, names, names).tolist() == [[0, 1, 2], [3, -1, -1]]


def test_another_networks_classes_are_found_by_name() -> None:
    found = true_classes(MASK, ("__background__", "cat", "dog", "car"), ("dog", "cat"))
    assert found.tolist() == [[-1, 1, 0], [-1, -1, -1]]
