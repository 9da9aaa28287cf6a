import numpy as np
import pytest

from explorer.evaluation.photo_set import PhotoSet
from explorer.evaluation.scenes import unpacked
from explorer.training.data import pseudo_masks
from explorer.training.data.pseudo_masks import grab_cut, packed_masks
from tests.training.toy import toy_photos


def disc(center, radius, side=64):
    rows, columns = np.mgrid[:side, :side] + 0.5
    return np.hypot(columns - center[0], rows - center[1]) <= radius


def photo_of(mask, seed=0):
    """An orange thing on blue ground, both with grain."""
    colors = np.where(mask[..., None], [230, 140, 30], [40, 60, 160])
    grain = np.random.default_rng(seed).normal(0, 12, (*mask.shape, 3))
    return (colors + grain).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("center", "radius", "box"),
    [
        ((30, 34), 14, (16, 20, 44, 48)),
        ((32, 32), 32, (0, 0, 64, 64)),  # nothing of the photo is outside the box
    ],
)
def test_a_disc_is_found_in_its_box(center, radius, box):
    wanted = disc(center, radius)
    found = grab_cut(photo_of(wanted), np.array(box, np.float32))
    assert (found & wanted).sum() / (found | wanted).sum() > 0.97


def test_the_box_is_taken_where_nothing_or_everything_is_found():
    box = np.array([8, 10, 48, 50], np.float32)
    inside = np.zeros((64, 64), bool)
    inside[10:50, 8:48] = True
    # a dot: what GrabCut has to keep in the middle is a tenth of the box
    assert np.array_equal(grab_cut(photo_of(disc((28, 30), 3)), box), inside)
    assert np.array_equal(grab_cut(photo_of(inside), box), inside)
    # all pixels are alike
    assert np.array_equal(grab_cut(np.full((64, 64, 3), 90, np.uint8), box), inside)


def test_packing_is_undone():
    mask = np.random.default_rng(0).random((3, 7, 13)) < 0.5
    assert np.array_equal(unpacked(np.packbits(mask, axis=-1), 13), mask)


def test_masks_are_made_once_and_do_not_depend_on_who_makes_them(tmp_path, monkeypatch):
    pixels = np.stack([photo_of(disc((20 + i, 30), 10 + i), seed=i) for i in range(6)])
    boxes = np.array([[10, 20 - i, 30 + 2 * i, 40 + i] for i in range(6)], np.float32)
    photos = PhotoSet(pixels, np.zeros(6, np.int64), boxes)
    cache = tmp_path / "below" / "masks.npy"
    first = packed_masks(photos, cache, workers=3)
    assert first.shape == (6, 64, 8)
    for i in range(6):
        assert np.array_equal(unpacked(first[i], 64), grab_cut(pixels[i], boxes[i]))
    monkeypatch.setattr(pseudo_masks, "grab_cut", None)
    assert np.array_equal(packed_masks(photos, cache), first)
    assert [file.name for file in cache.parent.iterdir()] == ["masks.npy"]
    # a file of other photos is not taken
    monkeypatch.setattr(pseudo_masks, "grab_cut", lambda pixels, box: np.ones((64, 64), bool))
    assert packed_masks(toy_photos(4), cache).all()
