import numpy as np
import pytest
import torch

from explorer.training.data.kept_maps import CONTENT, kept_maps

CPU = torch.device("cpu")


def crops(count):
    for number in range(count):
        yield np.full((4, 4, 3), number, np.uint8), np.full((2, 3), number, np.float32)


def look(pixels):
    values = torch.from_numpy(pixels[..., 0].astype(np.float32))[:, None]
    return [values / 2, values[:, :, :2, :2].repeat(1, 3, 1, 1)]


def test_maps_are_those_of_the_crops(tmp_path):
    kept = kept_maps(tmp_path / "maps", {"a": (1, 2)}, crops(20), 20, look)
    assert len(kept) == 20
    maps, joints = kept.batch(np.array([3, 19]), CPU)
    assert [value.shape for value in maps] == [(2, 1, 4, 4), (2, 3, 2, 2)]
    assert maps[0][:, 0, 0, 0].tolist() == [1.5, 9.5]
    assert maps[0].dtype == torch.float32
    assert joints[:, 0, 0].tolist() == [3, 19]


def test_the_body_is_asked_once(tmp_path):
    def never(_pixels):
        pytest.fail("the maps are there")

    kept_maps(tmp_path / "maps", {"a": 1}, crops(5), 5, look)
    again = kept_maps(tmp_path / "maps", {"a": 1}, iter(()), 5, never)
    assert again.batch(np.array([4]), CPU)[1][0, 0, 0] == 4


def test_other_crops_are_made_anew(tmp_path):
    kept_maps(tmp_path / "maps", {"a": 1}, crops(5), 5, look)
    assert len(kept_maps(tmp_path / "maps", {"a": 2}, crops(6), 6, look)) == 6


def test_what_was_interrupted_is_not_taken(tmp_path):
    def stops(pixels):
        if pixels[0, 0, 0, 0] >= 16:
            raise KeyboardInterrupt
        return look(pixels)

    with pytest.raises(KeyboardInterrupt):
        kept_maps(tmp_path / "maps", {}, crops(20), 20, stops)
    assert not (tmp_path / "maps" / CONTENT).exists()
    kept = kept_maps(tmp_path / "maps", {}, crops(20), 20, look)
    assert kept.batch(np.array([19]), CPU)[1][0, 0, 0] == 19
