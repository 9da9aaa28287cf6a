"""Five facial points by regression, in a cascade of two stages.

Sun, Wang & Tang 2013, "Deep Convolutional Network Cascade for Facial Point Detection": a first
network regresses all points from the whole face; for each point a smaller network of its own
then regresses a displacement from a window of the picture around it. Two things differ: one network
instead of three at each stage, and one stage of windows instead of two.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align

from explorer.networks.embedded.lite_pose import parts_around

POINTS = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
"""Centers of the eyes, tip of the nose, corners of the mouth; left and right are the person's."""

MIRRORED = (1, 0, 2, 4, 3)
"""`POINTS` with left and right exchanged."""

SIDE = 64
"""Of the crop in pixels."""

REACH = 0.9
"""Side of the windows of the second stage, in sizes of the pose."""

WINDOW = 20
"""Of such a window in pixels."""


def _block(inputs: int, outputs: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    padding = 1 if groups == 1 else 0
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class WholeFace(nn.Module):
    """From the crop to all points: four convolutions and two fully connected layers."""

    def __init__(self, points: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = _block(3, 16, stride=2)
        self.conv2 = _block(16, 32)
        self.conv3 = _block(32, 48)
        self.conv4 = _block(48, 64, stride=2)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(64 * (SIDE // 16) ** 2, hidden)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.1)
        self.fc2 = nn.Linear(hidden, 2 * points)
        nn.init.normal_(self.fc2.weight, std=0.01)
        nn.init.constant_(self.fc2.bias, 0.5)  # at first all in the middle

    def forward(self, crops: Tensor) -> Tensor:
        """(N, 3, 64, 64) -> (N, K, 2) as fractions of the crop."""
        maps = self.pool(self.conv2(self.conv1(crops)))
        maps = self.conv4(self.pool(self.conv3(maps)))
        found: Tensor = self.fc2(self.drop(self.relu(self.fc1(maps.flatten(1)))))
        return found.float().reshape(len(crops), -1, 2)


class Windows(nn.Module):
    """From a window around each point to its displacement; every point has weights of its own."""

    def __init__(self, points: int) -> None:
        super().__init__()
        self.conv1 = _block(3 * points, 12 * points, groups=points)
        self.pool = nn.MaxPool2d(2)
        self.conv2 = _block(12 * points, 16 * points, groups=points)
        self.conv3 = _block(16 * points, 16 * points, stride=2, groups=points)
        self.place = nn.Conv2d(16 * points, 2 * points, 3, groups=points)
        nn.init.normal_(self.place.weight, std=0.01)
        assert self.place.bias is not None
        nn.init.zeros_(self.place.bias)

    def forward(self, windows: Tensor) -> Tensor:
        """(N, K, 3, 20, 20) -> (N, K, 2), as fractions of the window's side."""
        maps = self.pool(self.conv1(windows.flatten(1, 2)))
        found: Tensor = self.place(self.conv3(self.conv2(maps)))
        return found.float().reshape(len(windows), -1, 2)


class FacePoints(nn.Module):
    """See the module.

    Args:
        points: How many.
        hidden: Width of the first stage's fully connected layer.
    """

    def __init__(self, points: int = len(POINTS), *, hidden: int = 96) -> None:
        super().__init__()
        self.first = WholeFace(points, hidden)
        self.later = Windows(points)

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        """(N, 3, 64, 64) normalized RGB, one face in each -> its points.

        Crops of another size are resized.

        Returns:
            `joints` (N, K, 2): x, y as fractions of the crop's sides, y down; `stages` (2, N, K,
            2): the same of both stages, the last being `joints`; `parts` (1, N, K, 4): x0, y0, x1,
            y1 of the windows, likewise.
        """
        if crops.shape[-2:] != (SIDE, SIDE):
            crops = functional.interpolate(
                crops, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
            )
        first, second, parts = self.cascade(crops)
        return {"joints": second, "stages": torch.stack([first, second]), "parts": parts[None]}

    def cascade(self, crops: Tensor, noise: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Points (N, K, 2) of the first stage and of the second, and its windows (N, K, 4).

        Args:
            crops: (N, 3, 64, 64).
            noise: In training the windows are moved by so much of their side (standard deviation).
        """
        first = self.first(crops)
        parts = parts_around(first.detach(), REACH, noise)
        sides = parts[..., 2:] - parts[..., :2]
        second = parts[..., :2] + sides / 2 + self.later(cut_windows(crops, parts)) * sides
        return first, second, parts


def cut_windows(crops: Tensor, parts: Tensor) -> Tensor:
    """Windows out of (N, 3, H, W) crops at (N, K, 4) parts -> (N, K, 3, 20, 20), bilinear.

    Places outside of the crop count as 0, the mean color.
    """
    count, points = parts.shape[:2]
    height, width = crops.shape[-2:]
    boxes = parts.flatten(0, 1) * parts.new_tensor([width, height, width, height])
    rows = torch.arange(count, device=crops.device, dtype=boxes.dtype).repeat_interleave(points)
    found: Tensor = roi_align(
        crops.float(), torch.cat([rows[:, None], boxes], dim=1), WINDOW,
        spatial_scale=1.0, sampling_ratio=1, aligned=True,
    )  # fmt: skip
    return found.reshape(count, points, *found.shape[1:])


def lite_face_points(num_classes: int = 2, **options: int) -> FacePoints:
    """See `FacePoints`; two classes, background and face, but no choice between them."""
    del num_classes
    return FacePoints(**options)
