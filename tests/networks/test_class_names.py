import json

import pytest

from explorer.core.resources import resource_path
from explorer.networks.class_names import read_class_paths, read_shipped_categories


def test_the_two_hundred_classes_that_ship():
    categories = read_shipped_categories(resource_path("classes", "tiny-imagenet.json"))
    assert len({c.wnid for c in categories}) == len({c.name for c in categories}) == 200
    assert all(c.path[0] == "entity" and len(c.path) == len(c.ids) for c in categories)


def test_paths_through_a_tree_by_hand(tmp_path):
    tree = tmp_path / "tree.json"
    nodes = {"n1": ["", "entity"], "n2": ["n1", "animal"], "n3": ["n2", "dog"]}
    tree.write_text(json.dumps({"nodes": nodes, "classes": ["n3", "n2"]}))
    assert read_class_paths(tree) == [
        ("dog", ("entity", "animal", "dog")), ("animal", ("entity", "animal")),
    ]  # fmt: skip
    nodes["n1"][0] = "n3"
    tree.write_text(json.dumps({"nodes": nodes, "classes": ["n3"]}))
    with pytest.raises(ValueError, match="above itself"):
        read_class_paths(tree)


def test_imagenets_thousand_classes():
    paths = read_class_paths(resource_path("classes", "imagenet.json"))
    assert len(paths) == 1000
    assert all(path[0] == "entity" and path[-1] == name for name, path in paths)
    assert paths[207][1][-4:] == ("hunting dog", "sporting dog", "retriever", "golden retriever")
