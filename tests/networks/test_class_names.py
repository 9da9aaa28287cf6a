import json

import pytest

from explorer.core.resources import resource_path
from explorer.networks.class_names import (
    Category,
    group_labels,
    group_names,
    group_of,
    read_class_paths,
    read_shipped_categories,
)


def test_the_nearest_rule_gives_the_group():
    def category(*ids):
        return Category(ids[-1], ids[-1], ids, ids)

    categories = [
        category("n0", "n00021939", "n1"),
        category("n0", "n00021939", "n02958343", "n2"),
        category("n0", "n00021939", "n02084071", "n3"),
        category("n0", "n09287968"),
    ]
    assert [group_of(c) for c in categories] == ["device or toy", "car", "dog", None]
    names = group_names()
    labels = group_labels(categories)
    assert [names[label - 1] for label in labels[:3]] == ["device or toy", "car", "dog"]
    assert labels[3] == 0


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
