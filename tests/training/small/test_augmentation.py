"""Random changes of pictures: what each does to one that shows it."""

from __future__ import annotations

import pytest
import torch

from explorer.training.small.augmentation import KINDS, augmented


def pictures() -> torch.Tensor:
    """Dark, with one bright pixel off the middle."""
    x = torch.full((64, 3, 9, 9), 0.25)
    x[:, :, 4, 6] = 1.0
    return x


def changed(kind: str, strength: float, seed: int = 0) -> torch.Tensor:
    return augmented(pictures(), ((kind, strength),), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_strength_0_changes_nothing_and_1_something_within_the_range(kind: str) -> None:
    assert torch.equal(changed(kind, 0.0), pictures())
    x = changed(kind, 1.0)
    assert x.shape == pictures().shape
    assert not torch.equal(x, pictures())
    assert 0 <= x.min() <= x.max() <= 1
    assert torch.equal(x, changed(kind, 1.0)), "equal seeds give equal pictures"
    assert not torch.equal(x, changed(kind, 1.0, seed=1))


def test_about_half_of_the_pictures_are_mirrored() -> None:
    x = changed("mirror", 1.0)
    mirrored = [torch.equal(one, two.flip(2)) for one, two in zip(x, pictures(), strict=True)]
    same = [torch.equal(one, two) for one, two in zip(x, pictures(), strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 16 < sum(mirrored) < 48


def test_cutout_hides_a_gray_square() -> None:
    hidden = (changed("cutout", 1.0) == 0.5).float().mean(dim=(1, 2, 3))
    assert 0.1 < float(hidden.mean()) < 0.5


def test_changes_are_made_in_their_order() -> None:
    both = (("rotate", 0.5), ("cutout", 1.0))
    one, two = (
        augmented(pictures(), order, torch.Generator().manual_seed(0))
        for order in (both, both[::-1])
    )
    assert not torch.equal(one, two)
