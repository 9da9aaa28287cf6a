import pytest
import torch

from explorer.networks.embedded import mini_fasterrcnn, mini_maskrcnn
from explorer.vision.trace import traced


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = mini_maskrcnn(4, side=96).eval()
    model.roi_heads.score_thresh = 0.0
    model.roi_heads.detections_per_img = 5
    return model


def test_every_box_gets_a_mask_of_the_photo(network):
    with torch.no_grad():
        (found,) = network([torch.rand(3, 80, 120)])
    assert len(found["boxes"]) > 0
    assert found["masks"].shape == (len(found["boxes"]), 1, 80, 120)
    for (x0, y0, x1, y1), mask in zip(found["boxes"].tolist(), found["masks"][:, 0], strict=True):
        rows, columns = mask.nonzero(as_tuple=True)
        # up to 1/28 of the box beyond it
        assert columns.min() >= x0 - 4
        assert columns.max() <= x1 + 4
        assert rows.min() >= y0 - 4
        assert rows.max() <= y1 + 4


def test_its_trace_ends_with_its_answer(network):
    image = torch.rand(3, 70, 90)
    with torch.no_grad():
        (own,) = network([image])
    (found,) = traced(network, image).output
    assert {"boxes", "labels", "scores", "masks"} == found.keys()
    assert all(torch.equal(found[name], own[name]) for name in own)


def test_boxes_are_those_of_the_detector_without_masks(network):
    plain = mini_fasterrcnn(4, side=96).eval()
    state = network.state_dict()
    plain.load_state_dict({name: state[name] for name in plain.state_dict()})
    plain.roi_heads.score_thresh, plain.roi_heads.detections_per_img = 0.0, 5
    image = torch.rand(3, 96, 96)
    with torch.no_grad():
        (with_masks,), (without,) = network([image]), plain([image])
    for name in ("boxes", "labels", "scores"):
        assert torch.equal(with_masks[name], without[name])


def test_the_branch_is_small(network):
    state = network.state_dict()
    own = sum(v.numel() for name, v in state.items() if "mask" in name)
    assert 0 < own * 2 < 1e6  # bytes in half precision
