from typing import Any

import pytest
import torch
from torch import nn

from explorer.networks.embedded import ARCHITECTURES, MiniResNet, mini_fasterrcnn, mini_resnet
from explorer.networks.embedded.rcnn import GroupPredictor


@pytest.mark.parametrize("size", [(64, 64), (16, 16), (37, 53), (128, 96)])
def test_any_input_size_gives_one_answer_per_photo(size):
    network = mini_resnet().eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, *size)).shape == (2, 200)


def test_the_layers_have_the_names_of_torchvisions_resnet():
    names = [name for name, _ in mini_resnet().named_children()]
    assert names == [
        *("conv1", "bn1", "relu", "layer1", "layer2", "layer3", "layer4"),
        *("avgpool", "fc"),
    ]


def test_the_number_of_weights_is_the_sum_of_its_layers():
    # stem; two 3x3 convolutions per block and the 1x1 ones that widen; two per BN channel; fc
    convolutions = 3 * 40 * 25 + 2 * 9 * 40 * 40
    convolutions += 9 * 40 * 80 + 3 * 9 * 80 * 80 + 40 * 80
    convolutions += 9 * 80 * 160 + 3 * 9 * 160 * 160 + 80 * 160
    convolutions += 9 * 160 * 320 + 9 * 320 * 320 + 160 * 320
    channels = 3 * 40 + 5 * 80 + 5 * 160 + 3 * 320
    expected = convolutions + 2 * channels + 320 * 200 + 200
    assert sum(p.numel() for p in mini_resnet().parameters()) == expected


def test_an_untrained_block_passes_its_input_through():
    block = MiniResNet(5).eval().layer1[0]
    x = torch.rand(1, 40, 6, 6)
    with torch.no_grad():
        assert torch.equal(block(x), x)


def test_the_pyramid_has_strides_8_16_and_32():
    backbone = mini_fasterrcnn(4).backbone.eval()
    with torch.no_grad():
        maps = backbone(torch.rand(1, 3, 256, 320))
    shapes = {name: tuple(m.shape[1:]) for name, m in maps.items()}
    assert shapes == {"0": (96, 32, 40), "1": (96, 16, 20), "pool": (96, 8, 10)}


def test_the_anchors_span_the_frame_at_every_side():
    for side in (256, 320):
        network = mini_fasterrcnn(4, side=side)
        sizes = [s for level in network.rpn.anchor_generator.sizes for s in level]
        assert sizes == sorted(sizes)
        assert sizes[0] == pytest.approx(side / 12.8, abs=0.5)
        assert sizes[-1] == pytest.approx(0.82 * side, rel=0.02)


def test_photos_may_be_smaller_than_the_scenes():
    network = mini_fasterrcnn(4, side=256, short_side=192).eval()
    batch, _ = network.transform([torch.rand(3, 300, 400)])
    assert batch.image_sizes == [(192, 256)]
    larger = mini_fasterrcnn(4, side=256)
    assert network.rpn.anchor_generator.sizes == larger.rpn.anchor_generator.sizes


def test_the_detector_answers_in_the_frame_of_every_photo():
    network = mini_fasterrcnn(4).eval()
    network.roi_heads.score_thresh = 0.0
    with torch.no_grad():
        found = network([torch.rand(3, 100, 200), torch.rand(3, 300, 120)])
    for result, (height, width) in zip(found, [(100, 200), (300, 120)], strict=True):
        assert len(result["boxes"]) > 0
        assert result["boxes"].min() >= 0
        assert result["boxes"][:, 0::2].max() <= width + 1e-3
        assert result["boxes"][:, 1::2].max() <= height + 1e-3
        assert set(result["labels"].tolist()) <= {1, 2, 3}


def test_every_architecture_is_a_module_made_for_a_number_of_classes():
    needs: dict[str, dict[str, Any]] = {
        "lite_yolo_v2": {"priors": [(1.0, 2.0)]},
        "lite_keypointrcnn": {"fine": 3},
    }  # fmt: skip
    for name, build in ARCHITECTURES.items():
        assert isinstance(build(num_classes=3, **needs.get(name, {})), nn.Module)


@pytest.mark.parametrize("training", [True, False])
def test_a_group_is_as_probable_as_its_classes_together(training):
    predictor = GroupPredictor(8, 3, fine=5).train(training)
    predictor.assign([2, 0, 1, 2, 2])
    x = torch.randn(6, 8)
    logits, deltas = predictor(x)
    assert deltas.shape == (6, 12)
    fine = predictor.cls_score(x)[:, [0, 1, 3, 4, 5]].softmax(dim=1)  # class 2 has no group
    wanted = torch.stack([fine[:, 0], fine[:, 2], fine[:, [1, 3, 4]].sum(dim=1)], dim=1)
    assert torch.allclose(logits.softmax(dim=1), wanted, atol=1e-6)


def test_an_impossible_group_has_a_finite_logit_and_no_probability():
    predictor = GroupPredictor(8, 3, fine=2).eval()
    predictor.assign([1, 2])
    logits = predictor.summed(torch.tensor([[0.0, 500.0, -500.0]]))
    assert logits.isfinite().all()
    assert torch.allclose(logits.softmax(dim=1), torch.tensor([[0.0, 1.0, 0.0]]))


def test_the_groups_come_with_the_weights():
    trained = mini_fasterrcnn(3, fine=4, width=8, hidden=16)
    trained.roi_heads.box_predictor.assign([2, 2, 1, 0])
    network = mini_fasterrcnn(3, fine=4, width=8, hidden=16)
    network.load_state_dict(trained.state_dict())
    member = network.roi_heads.box_predictor.member
    assert member[1].nonzero().flatten().tolist() == [3]
    assert member[2].nonzero().flatten().tolist() == [1, 2]
