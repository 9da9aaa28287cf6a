"""A face as 128 numbers: close together for photos of one person, apart for two.

The residual blocks of Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for Deep Face
Recognition" (Section 2.2, IR blocks), trained with the margin of Wang et al. 2018, "CosFace: Large
Margin Cosine Loss for Deep Face Recognition" (equation 4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 64
"""Of the face in pixels, as a cascade's crop shows it."""

SIZE = 128
"""Numbers of an embedding."""

WIDTHS = (24, 48, 96, 160)
DEPTHS = (1, 2, 2, 1)


class IRBlock(nn.Module):
    """BN, convolution, BN, PReLU, convolution, BN, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.prelu(self.bn2(self.conv1(self.bn1(maps))))
        found: Tensor = self.bn3(self.conv2(inner)) + self.shortcut(maps)
        return found


class FaceEmbedding(nn.Module):
    """Gray faces of 64 x 64 pixels to unit vectors of 128 numbers."""

    def __init__(self, size: int = SIZE) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, WIDTHS[0], 3, 2, 1, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.PReLU(WIDTHS[0]),
        )
        stages = []
        inputs = WIDTHS[0]
        for number, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
            blocks = []
            for block in range(depth):
                blocks.append(IRBlock(inputs, width, 2 if block == 0 and number else 1))
                inputs = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.drop = nn.Dropout(0.4)
        self.project = nn.Linear(inputs * (SIDE // 16) ** 2, size)
        self.norm = nn.BatchNorm1d(size)

    def forward(self, faces: Tensor) -> Tensor:
        """(N, 1, 64, 64) gray, 0..255 -> (N, 128) unit vectors of the face and its mirror image."""
        both = self.features(torch.cat([faces, faces.flip(3)]))
        first, second = both.chunk(2)
        return functional.normalize(first + second, dim=1)

    def features(self, faces: Tensor) -> Tensor:
        """(N, 1, 64, 64) gray, 0..255 -> (N, 128), of the face as it is and of any length."""
        maps = self.stages(self.stem(standardized(faces)))
        found: Tensor = self.norm(self.project(self.drop(maps.flatten(1))).float())
        return found


def standardized(faces: Tensor) -> Tensor:
    """(N, 1, H, W) each minus its mean, by its standard deviation + 8: light and contrast go."""
    faces = faces.float()
    mean = faces.mean(dim=(1, 2, 3), keepdim=True)
    return (faces - mean) / (faces.std(dim=(1, 2, 3), keepdim=True) + 8)
