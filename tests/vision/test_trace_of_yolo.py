"""The suppression of the embedded one-shot detectors, called on a module and a picture alone."""

from __future__ import annotations

import pytest
import torch

from explorer.networks.embedded.yolo import YOLO, lite_yolo_v1, lite_yolo_v2
from explorer.networks.preprocess import Frame
from explorer.vision.trace.answers import anchor_answers, own_suppression

PRIORS = [[1.0, 2.0], [4.0, 3.0]]


def model_of(kind: str) -> YOLO:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "v1":
            model: YOLO = lite_yolo_v1(4, side=64, width=16)
        else:
            model = lite_yolo_v2(4, priors=PRIORS, side=64, width=16, fine=4)
    model.score_thresh = 0.001
    return model.eval()


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_what_stays_is_what_the_network_answers(kind: str) -> None:
    model, image = model_of(kind), torch.rand(3, 48, 96)
    with torch.no_grad():
        (answer,) = model([image])
    found = own_suppression(model, [image])
    assert found is not None
    frame, nms = found
    back = torch.from_numpy(frame.inverse().boxes(nms.boxes[nms.kept].numpy()))
    wide = ((nms.boxes[nms.kept, 2:] - nms.boxes[nms.kept, :2]) > 1).all(1)  # not in the padding
    count = len(answer["boxes"])
    assert count > 0
    torch.testing.assert_close(back[wide][:count], answer["boxes"], atol=1e-3, rtol=0)
    assert torch.equal(nms.groups[nms.kept][wide][:count], answer["labels"])


def test_the_frame_begins_where_the_caller_says() -> None:
    model, image = model_of("v1"), torch.rand(3, 48, 96)
    found = own_suppression(model, [image], Frame(0.5, 0.5))
    assert found is not None
    assert found[0] == Frame(0.5 * 64 / 96, 0.5 * 64 / 48)


def test_priors_are_anchors() -> None:
    found = anchor_answers(model_of("v2"), [torch.rand(3, 64, 64)])
    (level,) = found.levels
    assert (level.rows, level.columns, level.per_cell) == (2, 2, 2)
    assert level.shapes == ((32, 64), (128, 96))
