import pytest
import torch
from torchvision.models.detection import FasterRCNN

from explorer.networks.embedded import lite_fasterrcnn, lite_keypointrcnn
from explorer.networks.embedded.lite_keypoints import JOINTS, FewClassesPredictor
from explorer.networks.preprocess import Frame
from explorer.vision.trace.two_stage import trace_two_stage


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    model = lite_keypointrcnn(
        2, fine=5, layers=(8,), score=0.0, most=6, width=16, hidden=16, short_side=64, long_side=96
    )
    return model.eval().requires_grad_(False)


def test_other_classes_count_as_background():
    predictor = FewClassesPredictor(3, 2, 5)
    logits = torch.tensor([0.0, 1.0, 0.5, -1.0, 2.0])
    with torch.no_grad():
        predictor.cls_score.weight.zero_()
        predictor.cls_score.bias.copy_(logits)
    scores, deltas = predictor(torch.zeros(1, 3))
    assert scores.shape == (1, 2)
    assert deltas.shape == (1, 8)
    assert torch.allclose(scores.softmax(1)[0, 1], logits.softmax(0)[1])


def test_the_detectors_weights_fit(detector):
    own = detector.state_dict()
    shared = lite_fasterrcnn(5, width=16, hidden=16).state_dict()
    differs = {name for name, value in shared.items() if own[name].shape != value.shape}
    assert differs == {f"roi_heads.box_predictor.bbox_pred.{kind}" for kind in ("weight", "bias")}
    assert {name.split(".")[1] for name in own.keys() - shared.keys()} == {
        "keypoint_head", "keypoint_predictor",
    }  # fmt: skip


@torch.no_grad()
def test_the_trace_is_the_networks_own_answer(detector):
    assert type(detector) is FasterRCNN
    image = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(2))
    (wanted,), trace = detector([image]), trace_two_stage(detector, image, Frame())
    (found,) = trace.output
    assert 0 < len(wanted["boxes"]) <= 6
    assert wanted["keypoints"].shape[1:] == (len(JOINTS), 3)
    assert set(wanted["labels"].tolist()) == {1}
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
