import torch

from explorer.training.adversarial import augmentation
from explorer.training.adversarial.augmentation import SHIFT, augmented


def test_none_of_the_pictures_changes_without_a_share():
    pictures = torch.rand(4, 3, 16, 16)
    assert augmented(pictures, 0.0) is pictures


def test_the_share_of_the_pictures_that_changes():
    torch.manual_seed(0)
    pictures = torch.rand(400, 3, 8, 8)
    changed = (augmented(pictures, 0.25) != pictures).flatten(1).any(dim=1)
    assert 0.15 < float(changed.float().mean()) < 0.35


def test_the_same_seed_varies_alike_and_gradients_run_through():
    pictures = torch.rand(6, 3, 16, 16, requires_grad=True)
    torch.manual_seed(3)
    first = augmented(pictures)
    torch.manual_seed(3)
    assert torch.equal(first, augmented(pictures))
    first.sum().backward()
    assert pictures.grad is not None
    assert float(pictures.grad.abs().sum()) > 0


def test_the_blank_square_is_a_square_of_its_side():
    torch.manual_seed(0)
    cut = augmentation._cut(torch.ones(50, 1, 32, 32))
    blank = (cut == 0)[:, 0]
    most = round(augmentation.CUT * 32)
    for one in blank:  # smaller where it reaches beyond the rim
        rows, columns = one.any(dim=1), one.any(dim=0)
        assert torch.equal(one, rows[:, None] & columns[None, :])
        assert 0 < int(rows.sum()) <= most
    assert int(blank.any(dim=2).sum(dim=1).max()) == most


def test_a_picture_moves_by_whole_pixels():
    torch.manual_seed(1)
    pictures = torch.rand(1, 3, 16, 16)
    moved = augmentation._moved(pictures)
    most = round(SHIFT * 16)
    padded = torch.nn.functional.pad(pictures, (most,) * 4)
    places = [
        padded[..., y : y + 16, x : x + 16]
        for y in range(2 * most + 1)
        for x in range(2 * most + 1)
    ]
    assert sum(torch.equal(moved, place) for place in places) == 1
