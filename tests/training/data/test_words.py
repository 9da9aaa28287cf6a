import pytest
import torch

from explorer.core.resources import resource_path
from explorer.networks.embedded.wordtree import WordTree
from explorer.training.data.words import (
    BELOW,
    SAME,
    Nodes,
    classes_below,
    read_nodes,
    with_categories,
    word_tree,
)

CAT, DOG = SAME["cat"], SAME["dog"]
PARENTS = {
    "root": "", "animal": "root", CAT: "animal", DOG: "animal", "thing": "root",
    "plaything": "thing", "hound": DOG, "beagle": "hound", "basset": "hound", "pug": DOG,
    "tabby": CAT,
}  # fmt: skip
NODES = Nodes(PARENTS, {name: name for name in PARENTS}, ("beagle", "basset", "pug", "tabby"))
CATEGORIES = ("cat", "dog", "kite")


def test_classes_are_below_their_category():
    below = classes_below(*with_categories(NODES, CATEGORIES))
    assert below == {"cat": {3}, "dog": {0, 1, 2}, "kite": set()}


def test_words_with_enough_examples_by_hand():
    found = word_tree(NODES, CATEGORIES, {0: 3, 1: 2, 2: 5, 3: 9}, least=4)
    # an only child says nothing: "tabby" below "cat", "thing" and "plaything" above "kite"
    assert found.tree["words"] == ["animal", "cat", "dog", "pug", "hound", "kite"] or (
        found.tree["words"] == ["animal", "cat", "dog", "hound", "pug", "kite"]
    )
    words = found.tree["words"]
    label = dict(zip(words, found.tree["labels"], strict=True))
    assert label == {"animal": 0, "cat": 1, "dog": 0, "hound": 2, "pug": 2, "kite": 3}
    assert [words[i] for i in found.categories] == ["cat", "dog", "kite"]
    known = {key: words[word] for key, word in found.classes.items()}
    assert known == {0: "hound", 1: "hound", 2: "pug", 3: "cat"}
    assert found.cut == ("beagle", "basset", "tabby")


@pytest.mark.parametrize("examples", [{}, dict.fromkeys(range(1000), 30)])
def test_the_categories_of_coco_have_their_place(examples):
    nodes = read_nodes(resource_path("classes", "imagenet.json"))
    names = sorted(SAME | BELOW)
    assert len(names) == 80
    tree_of = word_tree(nodes, names, examples)
    tree = WordTree(**tree_of.tree)
    assert [tree.words[word] for word in tree_of.categories] == names
    for word in tree_of.categories:  # no category is within another one
        assert not set(tree.way(word)[:-1]) & set(names)
    shares = tree.per_label(tree(torch.randn(2, len(tree))), 81)
    torch.testing.assert_close(shares.sum(1), torch.ones(2))
    assert (shares[:, 1:] > 0).all()
    inner = set(tree.parents) - {-1}
    assert all(tree.parents.count(parent) > 1 for parent in inner)
