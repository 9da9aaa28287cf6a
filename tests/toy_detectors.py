"""Small detectors of every family, with random weights that are always the same."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD

from tests.toys import tiny_faster_rcnn


class Maps(nn.Module):
    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, stride=8, padding=1)
        self.out_channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).tanh()


def tiny_detector(kind: str) -> nn.Module:
    """Of "rcnn", "retinanet", "fcos" or "ssd", for pictures of 64 x 64 pixels and 4 classes."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        if kind == "rcnn":
            return tiny_faster_rcnn(4).eval()
        options = {"min_size": 64, "max_size": 64, "score_thresh": 0.0}
        if kind == "retinanet":
            anchors = AnchorGenerator(((24,),), ((1.0,),))
            made = RetinaNet(Maps(), 4, anchor_generator=anchors, **options)
        elif kind == "fcos":
            anchors = AnchorGenerator(((8,),), ((1.0,),))
            made = FCOS(Maps(32), 4, anchor_generator=anchors, **options)
        else:
            boxes = DefaultBoxGenerator([[1]], scales=[0.4, 0.5], steps=[8])
            made = SSD(nn.Sequential(Maps(512)), boxes, (64, 64), 4, score_thresh=0.0)
        for name, weight in made.head.named_parameters():
            if weight.ndim > 1:  # as they are initialized, logits hardly depend on the picture
                nn.init.kaiming_uniform_(weight)
            elif "norm" not in name and kind != "fcos":
                nn.init.zeros_(weight)
        return made.eval()
