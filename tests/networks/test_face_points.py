import pytest
import torch
from torch.nn import functional

from explorer.networks.embedded.face_points import (
    MIRRORED,
    POINTS,
    REACH,
    SIDE,
    WINDOW,
    cut_windows,
    lite_face_points,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return lite_face_points().eval()


def test_exchanging_left_and_right_twice_changes_nothing():
    words = [POINTS[k] for k in MIRRORED]
    assert words == ["left_eye", "right_eye", "nose", "left_mouth", "right_mouth"]
    assert [MIRRORED[k] for k in MIRRORED] == list(range(len(POINTS)))


@torch.no_grad()
def test_the_second_stage_looks_around_the_first(model):
    crops = torch.randn(3, 3, SIDE, SIDE)
    found = model(crops)
    first, second = found["stages"]
    assert torch.equal(second, found["joints"])
    assert second.shape == (3, 5, 2)
    (parts,) = found["parts"]
    torch.testing.assert_close((parts[..., :2] + parts[..., 2:]) / 2, first)
    torch.testing.assert_close(first, model.first(crops))
    size = (first.amax(1) - first.amin(1)).amax(1).clamp(0.3, 1)
    torch.testing.assert_close((parts[..., 2] - parts[..., 0])[:, 0], REACH * size)
    # a stage that answers zero leaves every point in the middle of its window
    sides = parts[..., 2:] - parts[..., :2]
    moved = model.later(cut_windows(crops, parts)) * sides
    torch.testing.assert_close(second, first + moved)


@torch.no_grad()
def test_every_point_has_weights_of_its_own(model):
    windows = torch.randn(1, 5, 3, WINDOW, WINDOW)
    other = windows.clone()
    other[:, 2] += 1
    same = (model.later(windows) == model.later(other)).all(dim=2)[0]
    assert same.tolist() == [True, True, False, True, True]


@torch.no_grad()
def test_windows_are_cut_where_they_are_said_to_be():
    crops = torch.arange(40.0).expand(1, 3, 40, 40).clone()  # every value is its column
    parts = torch.tensor([[[0.25, 0.25, 0.75, 0.75], [-0.5, 0.0, 0.0, 0.5]]])
    found = cut_windows(crops, parts)
    assert found.shape == (1, 2, 3, WINDOW, WINDOW)
    torch.testing.assert_close(found[0, 0, 0, 0], torch.arange(10.0, 30.0))
    assert (found[0, 1] == 0).all()


@torch.no_grad()
def test_crops_of_another_size_are_resized(model):
    crops = torch.randn(1, 3, 128, 96)
    small = functional.interpolate(
        crops, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
    )
    assert torch.equal(model(crops)["joints"], model(small)["joints"])
