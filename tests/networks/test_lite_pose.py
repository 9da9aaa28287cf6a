import pytest
import torch
from torch import nn

from explorer.networks.embedded.lite_pose import (
    JOINTS,
    MIRRORED,
    Refinement,
    lite_pose,
    mean_places,
    parts_around,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return lite_pose().eval()


def test_exchanging_left_and_right_twice_changes_nothing():
    words = [JOINTS[i] for i in MIRRORED]
    swapped = {"left": "right", "right": "left"}
    for own, other in zip(JOINTS, words, strict=True):
        side, _, rest = own.partition("_")
        assert other == (f"{swapped[side]}_{rest}" if side in swapped else own)
    assert [MIRRORED[i] for i in MIRRORED] == list(range(len(JOINTS)))


@torch.no_grad()
def test_every_stage_says_where_the_joints_are(model):
    found = model(torch.randn(2, 3, 224, 224))
    assert found["joints"].shape == (2, 14, 2)
    assert found["stages"].shape == (4, 2, 14, 2)
    assert found["parts"].shape == (3, 2, 14, 4)
    assert torch.equal(found["stages"][-1], found["joints"])
    assert found["heat"].shape == (3, 2, 14, 11, 11)
    places = mean_places(found["heat"].flatten(0, 1), found["parts"].flatten(0, 1))
    assert torch.allclose(places.unflatten(0, (3, 2)), found["stages"][1:], atol=1e-6)
    # each later stage looks around what the one before it has found, and answers within its part
    centers = (found["parts"][..., :2] + found["parts"][..., 2:]) / 2
    assert torch.allclose(centers, found["stages"][:-1], atol=1e-6)
    assert (found["stages"][1:] > found["parts"][..., :2]).all()
    assert (found["stages"][1:] < found["parts"][..., 2:]).all()


@torch.no_grad()
def test_people_in_a_batch_do_not_mix(model):
    crops = torch.randn(2, 3, 224, 224)
    both = model(crops)["stages"]
    for row in range(2):
        alone = model(crops[row : row + 1])["stages"][:, 0]
        assert torch.allclose(both[:, row], alone, atol=1e-4)


@torch.no_grad()
def test_a_crop_of_another_size_is_resized(model):
    crops = torch.rand(1, 3, 1, 1).expand(1, 3, 100, 100)
    assert torch.allclose(
        model(crops)["joints"], model(crops[..., :1, :1].expand(1, 3, 224, 224))["joints"],
        atol=1e-4,
    )  # fmt: skip


@torch.no_grad()
def test_the_first_stage_alone():
    network = lite_pose(reach=()).eval()
    found = network(torch.randn(1, 3, 224, 224))
    assert found["stages"].shape == (1, 1, 14, 2)
    assert torch.equal(found["stages"][0], found["joints"])
    assert len(found["parts"]) == len(found["heat"]) == 0


def test_parts_by_hand():
    joints = torch.tensor([[[0.2, 0.4], [0.6, 0.5]], [[0.5, 0.5], [0.5, 0.6]]])
    parts = parts_around(joints, 0.5)
    # the first pose is 0.4 wide; the second one, 0.1 high, is taken to be 0.3
    assert torch.allclose(parts[0, 0], torch.tensor([0.1, 0.3, 0.3, 0.5]))
    assert torch.allclose(parts[1, 1], torch.tensor([0.425, 0.525, 0.575, 0.675]))
    torch.manual_seed(0)
    moved = parts_around(joints, 0.5, noise=0.1)
    assert not torch.equal(moved, parts)
    assert torch.allclose(moved[..., 2:] - moved[..., :2], parts[..., 2:] - parts[..., :2])


def test_mean_places_by_hand():
    heat = torch.zeros(1, 1, 2, 4)
    heat[0, 0, 0, 0], heat[0, 0, 1, 3] = 0.75, 0.25
    parts = torch.tensor([[[1.0, 2.0, 2.0, 4.0]]])
    # x: 0.75 at 1/8 and 0.25 at 7/8; y: 0.75 at 1/4 and 0.25 at 3/4, of a side of 2
    assert torch.allclose(mean_places(heat, parts), torch.tensor([[[1.3125, 2.75]]]))


def test_a_stage_finds_the_peak_of_its_joints_own_channel():
    stage = Refinement(2, 2, 1, bins=8)
    with torch.no_grad():
        stage.heat.weight.copy_(40 * torch.eye(2)[..., None, None])
        nn.init.zeros_(stage.heat.bias)
    evidence = torch.zeros(1, 2, 8, 8)
    evidence[0, 0, 2, 6] = evidence[0, 1, 5, 1] = 1
    whole = torch.tensor([[[0.0, 0.0, 1.0, 1.0]] * 2])
    heat = stage(evidence, torch.zeros(1, 1), whole).exp()
    assert heat.shape == (1, 2, 8, 8)
    assert torch.allclose(heat.sum(dim=(2, 3)), torch.ones(1, 2))
    expected = torch.tensor([[[6.5 / 8, 2.5 / 8], [1.5 / 8, 5.5 / 8]]])
    assert torch.allclose(mean_places(heat, whole), expected, atol=1e-3)
