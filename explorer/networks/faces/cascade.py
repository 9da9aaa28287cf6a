"""The three networks of a cascade that finds faces.

Zhang, Zhang, Li and Qiao 2016, "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks" (section II.B and figure 2). Layers are called as in its Caffe definitions,
with an underscore for the dash: of the last ones, the first is the score, the second the box, the
third the points. All inputs are RGB, (value - 127.5) / 128.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

P_SIDE, R_SIDE, O_SIDE = 12, 24, 48
"""Of the pictures that P-Net, R-Net and O-Net judge, in pixels."""

P_STRIDE = 2
"""Pixels between two neighboring cells of P-Net's maps: those of its one pooling."""


def normalized(pixels: Tensor) -> Tensor:
    """RGB 0..255 as the three networks take it."""
    return (pixels.float() - 127.5) / 128


class PNet(nn.Module):
    """The proposal network: fully convolutional, so that it takes pictures of any size.

    Its maps say of each window of 12 x 12 pixels, every two pixels, whether it is a face and by
    how much of the window's side its borders are off.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 10, 3)
        self.prelu1 = nn.PReLU(10)
        self.pool1 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(10, 16, 3)
        self.prelu2 = nn.PReLU(16)
        self.conv3 = nn.Conv2d(16, 32, 3)
        self.prelu3 = nn.PReLU(32)
        self.conv4_1 = nn.Conv2d(32, 2, 1)
        self.conv4_2 = nn.Conv2d(32, 4, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W), both at least 12 -> scores (N, h, w) in 0..1 and offsets (N, 4, h, w)."""
        maps = self.pool1(self.prelu1(self.conv1(pictures)))
        maps = self.prelu3(self.conv3(self.prelu2(self.conv2(maps))))
        return self.conv4_1(maps).softmax(dim=1)[:, 1], self.conv4_2(maps)


class RNet(nn.Module):
    """The refinement network: the same two questions of one region."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 28, 3)
        self.prelu1 = nn.PReLU(28)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(28, 48, 3)
        self.prelu2 = nn.PReLU(48)
        self.pool2 = nn.MaxPool2d(3, 2)
        self.conv3 = nn.Conv2d(48, 64, 2)
        self.prelu3 = nn.PReLU(64)
        self.fc4 = nn.Linear(64 * 3 * 3, 128)
        self.prelu4 = nn.PReLU(128)
        self.fc5_1 = nn.Linear(128, 2)
        self.fc5_2 = nn.Linear(128, 4)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 24, 24) -> scores (N,) in 0..1 and offsets (N, 4)."""
        maps = self.pool1(self.prelu1(self.conv1(pictures)))
        maps = self.pool2(self.prelu2(self.conv2(maps)))
        flat = self.prelu3(self.conv3(maps)).flatten(1)
        flat = self.prelu4(self.fc4(flat))
        return self.fc5_1(flat).softmax(dim=1)[:, 1], self.fc5_2(flat)


class ONet(nn.Module):
    """The output network: score, box and five points of one region."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3)
        self.prelu1 = nn.PReLU(32)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.prelu2 = nn.PReLU(64)
        self.pool2 = nn.MaxPool2d(3, 2)
        self.conv3 = nn.Conv2d(64, 64, 3)
        self.prelu3 = nn.PReLU(64)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv4 = nn.Conv2d(64, 128, 2)
        self.prelu4 = nn.PReLU(128)
        self.fc5 = nn.Linear(128 * 3 * 3, 256)
        self.prelu5 = nn.PReLU(256)
        self.fc6_1 = nn.Linear(256, 2)
        self.fc6_2 = nn.Linear(256, 4)
        self.fc6_3 = nn.Linear(256, 10)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 3, 48, 48) -> scores (N,) in 0..1, offsets (N, 4) and points (N, 5, 2).

        The points are x, y as fractions of the region; they are in the order of
        `embedded.face_points.POINTS`.
        """
        maps = self.pool1(self.prelu1(self.conv1(pictures)))
        maps = self.pool2(self.prelu2(self.conv2(maps)))
        maps = self.pool3(self.prelu3(self.conv3(maps)))
        flat = self.prelu4(self.conv4(maps)).flatten(1)
        flat = self.prelu5(self.fc5(flat))
        points = self.fc6_3(flat).view(-1, 2, 5).transpose(1, 2)
        return self.fc6_1(flat).softmax(dim=1)[:, 1], self.fc6_2(flat), points


class Cascade(nn.Module):
    """The three, in eval mode and without gradients of their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.pnet, self.rnet, self.onet = PNet(), RNet(), ONet()
        self.eval().requires_grad_(requires_grad=False)

    @property
    def device(self) -> torch.device:
        return self.pnet.conv1.weight.device
