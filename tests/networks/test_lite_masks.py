import torch
from torchvision.models.detection.roi_heads import maskrcnn_inference

from explorer.networks.embedded import lite_fasterrcnn, lite_maskrcnn
from explorer.networks.embedded.lite import TAPS, LiteFPN, body_maps
from explorer.networks.embedded.lite_edges import EDGES, MapsWithEdges


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
    assert torch.allclose(chosen[:, 0], logits[:, 0].sigmoid(), atol=1e-6)


def test_edges_are_cut_out_of_the_finer_map_in_the_same_boxes():
    model = lite_maskrcnn(4).eval()
    pool = model.roi_heads.mask_roi_pool
    columns = torch.arange(40.0).expand(1, 1, 30, 40)  # a map that says where it is
    coarse = {str(i): torch.zeros(1, 2, 15 >> i, 20 >> i) for i in range(3)}
    box = torch.tensor([[16.0, 8.0, 128.0, 120.0]])  # 4 .. 32 of the finer map's columns
    found = pool(MapsWithEdges(coarse, columns), [box], [(120, 160)])
    assert found.shape == (1, 2 + 4, 14, 14)
    assert (found[:, :2] == 0).all()
    # its 28 columns lie at 4, 5, … of the map: the even ones first, then the odd ones
    assert torch.allclose(found[0, 2, 0], torch.arange(4.0, 32.0, 2))
    assert torch.allclose(found[0, 3, 0], torch.arange(5.0, 33.0, 2))
    assert torch.equal(found[0, 2:4], found[0, 4:6])  # the rows are alike


def test_no_box_has_no_mask():
    model = lite_maskrcnn(4, score=2.0).eval()
    with torch.inference_mode():
        assert model([torch.rand(3, 90, 120)])[0]["masks"].shape == (0, 1, 90, 120)


def test_the_backbone_gives_the_detectors_maps_and_the_edges():
    torch.manual_seed(0)
    model = lite_maskrcnn(4).eval()
    photo = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        maps = model.backbone(photo)
        edges, *_ = body_maps(model.backbone.body, photo, (EDGES, *TAPS))
        plain = LiteFPN.forward(model.backbone, photo)
    assert list(maps) == ["0", "1", "2"]
    assert all(torch.equal(maps[name], plain[name]) for name in maps)
    assert maps.edges.shape == (1, 24, 16, 24)
    assert torch.equal(maps.edges, edges)
