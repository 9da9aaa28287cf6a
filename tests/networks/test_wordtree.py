import math

import pytest
import torch

from explorer.networks.embedded.wordtree import ROOT, WordTree, flat

#   animal          thing
#   dog    cat
#   pug hound
WORDS = ["animal", "dog", "pug", "hound", "cat", "thing"]
PARENTS = [ROOT, 0, 1, 1, 0, ROOT]
LABELS = [0, 0, 1, 1, 2, 3]
LOGITS = torch.tensor([[math.log(3), math.log(4), 0.0, math.log(9), 0.0, 0.0]])
# given the parent: animal 3/4, thing 1/4; dog 4/5, cat 1/5; pug 1/10, hound 9/10


@pytest.fixture
def tree():
    return WordTree(WORDS, PARENTS, LABELS)


def test_probabilities_by_hand(tree):
    given = tree.conditional(LOGITS).exp()[0].tolist()
    assert given == pytest.approx([0.75, 0.8, 0.1, 0.9, 0.2, 0.25])
    assert tree(LOGITS)[0].tolist() == pytest.approx([0.75, 0.6, 0.06, 0.54, 0.15, 0.25])


def test_labels_are_sums_over_their_leaves(tree):
    found = tree.per_label(tree(LOGITS), 5)
    assert found[0].tolist() == pytest.approx([0, 0.6, 0.15, 0.25, 0])


def test_the_loss_is_the_cross_entropy_along_the_way(tree):
    logits = LOGITS.expand(3, -1).clone().requires_grad_()
    losses = tree.loss(logits, torch.tensor([3, 1, 5]))
    assert losses.tolist() == pytest.approx(
        [-math.log(0.75 * 0.8 * 0.9), -math.log(0.75 * 0.8), -math.log(0.25)]
    )
    losses.sum().backward()
    # a dog of no known kind teaches nothing about kinds of dogs, a thing nothing about animals
    assert logits.grad[1, 2:4].tolist() == [0, 0]
    assert logits.grad[2, 1:5].tolist() == [0, 0, 0, 0]
    assert logits.grad[0, 2].item() == pytest.approx(0.1)


def test_a_descent_stops_where_it_is_no_longer_sure(tree):
    probable = tree(LOGITS).expand(1, -1)
    ends = {least: tree.descend(probable, least).item() for least in (0.8, 0.7, 0.55, 0.5, 0.0)}
    assert ends == {0.8: ROOT, 0.7: 0, 0.55: 1, 0.5: 3, 0.0: 3}
    assert tree.way(3) == ("animal", "dog", "hound")
    assert tree.way(ROOT) == ()


def test_a_flat_tree_is_one_softmax():
    logits = torch.randn(4, 3)
    tree = flat(4)
    assert torch.allclose(tree(logits), logits.softmax(1))
    assert torch.allclose(tree.per_label(tree(logits), 4)[:, 1:], logits.softmax(1))


def test_a_tree_has_nothing_to_save_and_can_be_asked_about_nothing(tree):
    assert tree.state_dict() == {}
    assert tree(torch.zeros(0, 6)).shape == (0, 6)
    assert tree.descend(torch.zeros(0, 6)).shape == (0,)


@pytest.mark.parametrize("parents", [[0, ROOT], [1, ROOT], [-2, ROOT]])
def test_children_after_their_parents(parents):
    with pytest.raises(ValueError, match="before"):
        WordTree(["a", "b"], parents, [1, 1])
