"""Age, gender and five points of a face, from 64 x 64 pixels in color.

The age is the mean of a distribution over years (Rothe et al. 2015, "DEX: Deep EXpectation of
Apparent Age from a Single Image"): its spread says how sure the answer is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from explorer.networks.embedded.face_points import POINTS

SIDE = 64
"""Of the face in pixels."""

OLDEST = 116
"""The ages are 0..OLDEST years."""

WIDTHS = (24, 48, 80, 128)


class FaceAge(nn.Module):
    """Four stages of two convolutions, then three answers from their pooled maps."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for number, width in enumerate(WIDTHS):
            layers += [_conv(inputs, width, 2 if number == 0 else 1), _conv(width, width, 1)]
            layers.append(nn.MaxPool2d(2))
            inputs = width
        self.stages = nn.Sequential(*layers[:-1])
        self.drop = nn.Dropout(0.2)
        self.age = nn.Linear(inputs, OLDEST + 1)
        self.gender = nn.Linear(inputs, 2)
        self.points = nn.Linear(inputs * (SIDE // 16) ** 2, 2 * len(POINTS))
        nn.init.normal_(self.points.weight, std=0.01)
        nn.init.constant_(self.points.bias, 0.5)

    def forward(self, faces: Tensor) -> dict[str, Tensor]:
        """(N, 3, 64, 64) RGB, 0..1 -> what is read from each.

        Returns:
            `age_logits` (N, 117) of each year; `age` (N,) years, their mean; `gender` (N, 2) logits
            of man and woman; `points` (N, 5, 2) x, y of `POINTS` as fractions of the crop.
        """
        maps = self.stages((faces - 0.5) / 0.25)
        pooled = self.drop(maps.mean(dim=(2, 3)))
        logits = self.age(pooled).float()
        years = torch.arange(OLDEST + 1, device=logits.device, dtype=torch.float32)
        return {
            "age_logits": logits,
            "age": logits.softmax(dim=1) @ years,
            "gender": self.gender(pooled).float(),
            "points": self.points(maps.flatten(1)).float().reshape(len(faces), -1, 2),
        }


def _conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
