"""What all segmentation networks have in common."""

import pytest
import torch

from explorer.networks.embedded import ARCHITECTURES

MEGABYTES = {
    "lite_deeplab": 0.8,
    "lite_fcn": 0.3,
    "lite_pspnet": 0.8,
    "lite_unet": 0.3,
    "lite_deconvnet": 0.25,
    "lite_frrn": 0.25,
    "mini_segnet": 0.8,
}
"""Of the weights that are not the body's, in half precision."""

BODIES = ("body.", "features.")


@pytest.mark.parametrize("name", MEGABYTES)
@torch.no_grad()
def test_any_input_size_gives_scores_for_every_pixel(name):
    network = ARCHITECTURES[name](5).eval()
    for size in ((32, 32), (63, 77)):
        for output in network(torch.rand(1, 3, *size)).values():
            assert tuple(output.shape) == (1, 5, *size)


@pytest.mark.parametrize("name", MEGABYTES)
def test_its_own_weights_are_few(name):
    state = ARCHITECTURES[name](21).state_dict()
    own = sum(value.numel() for key, value in state.items() if not key.startswith(BODIES))
    assert own * 2 < MEGABYTES[name] * 1e6
