import torch
from torchvision.models.detection.roi_heads import maskrcnn_inference

from explorer.networks.embedded import lite_fasterrcnn, lite_maskrcnn


def test_the_detector_is_the_same_and_has_a_mask_for_every_box():
    torch.manual_seed(0)
    model = lite_maskrcnn(4, score=0.0, most=5).eval()
    plain = lite_fasterrcnn(4, score=0.0).eval()
    own = model.state_dict()
    plain.load_state_dict({name: own[name] for name in plain.state_dict()})
    plain.roi_heads.detections_per_img = 5
    photo = torch.rand(3, 90, 120)
    with torch.inference_mode():
        masked, boxes = model([photo])[0], plain([photo])[0]
    for name in ("boxes", "labels", "scores"):
        assert torch.equal(masked[name], boxes[name])
    assert masked["masks"].shape == (5, 1, 90, 120)
    assert masked["masks"].unique().numel() > 2


def test_all_classes_of_a_box_have_its_one_mask():
    torch.manual_seed(0)
    predictor = lite_maskrcnn(4).roi_heads.mask_predictor.eval()
    with torch.inference_mode():
        logits = predictor(torch.rand(3, 96, 14, 14))
    assert logits.shape == (3, 4, 28, 28)
    assert torch.equal(logits[:, 0], logits[:, 3])
    (chosen,) = maskrcnn_inference(logits, [torch.tensor([1, 3, 2])])
    assert torch.equal(chosen[:, 0], logits[:, 0].sigmoid())
