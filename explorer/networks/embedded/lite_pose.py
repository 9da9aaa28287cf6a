"""Joints of one person by regression, refined in a cascade, on the body of `lite_fasterrcnn`.

Toshev & Szegedy 2014, "DeepPose": coordinates come out of a fully connected layer, and each later
stage looks at a part of the picture around each joint that the stage before has found. Two things
differ. There a stage is a network of its own that gets such a part enlarged; here the part is cut
out of one map that the body has made already (RoIAlign, He et al. 2017), so that a stage costs
little. And a later stage does not end in a fully connected layer but in a heat map over its part,
whose mean place is the joint ("integral regression", Sun et al. 2018): it is learned from
coordinates all the same, and needs far fewer people to learn from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align

from explorer.networks.embedded import lite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck", "head_top",
)  # fmt: skip
"""Those of Leeds Sports Pose, in its order; left and right are the person's own."""

MIRRORED = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)
"""`JOINTS` with left and right exchanged."""

SIDE = 224
"""Of the crop in pixels: the maps have 28, 14 and 7 places a side."""

REACH = (1.0, 0.5, 0.3)
"""Sides of the parts of the later stages, in sizes of the pose (the paper's sigma)."""

LEAST_SIZE = 0.3
"""A pose is taken to be at least so large, in parts of the crop."""


class FirstStage(nn.Module):
    """From the whole crop to coordinates: 1x1 convolutions and two fully connected layers.

    The maps are flattened and not averaged, as a joint's place is to be told.

    Args:
        joints: How many.
        channels: Of the maps of strides 16 and 32.
        widths: Channels that these are reduced to.
        hidden: Width of the first fully connected layer.
    """

    def __init__(
        self, joints: int, channels: tuple[int, int], widths: tuple[int, int], hidden: int
    ) -> None:
        super().__init__()
        self.fine = nn.Conv2d(channels[0], widths[0], 1)
        self.halve = nn.Conv2d(widths[0], widths[0], 3, stride=2, padding=1)
        self.coarse = nn.Conv2d(channels[1], widths[1], 1)
        self.relu = nn.ReLU(inplace=True)
        self.fc1 = nn.Linear(sum(widths) * (SIDE // 32) ** 2, hidden)
        self.drop = nn.Dropout(0.2)
        self.fc2 = nn.Linear(hidden, 2 * joints)
        nn.init.normal_(self.fc2.weight, std=0.01)
        nn.init.constant_(self.fc2.bias, 0.5)  # at first all in the middle

    def forward(self, middle: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Maps of strides 16 and 32 -> (N, J, 2) joints, (N, hidden) what they were read from."""
        fine = self.relu(self.halve(self.relu(self.fine(middle))))
        both = torch.cat([fine, self.relu(self.coarse(coarse))], dim=1)
        hidden = self.relu(self.fc1(both.flatten(1)))
        return self.fc2(self.drop(hidden)).float().unflatten(1, (-1, 2)), hidden


class Evidence(nn.Module):
    """One map of stride 8 for all later stages, from the body's three.

    Args:
        channels: Of the maps of strides 8, 16 and 32.
        width: Channels at stride 16.
        out: Channels of the answer.
    """

    def __init__(self, channels: tuple[int, int, int], width: int, out: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(channels[0], out, 1)
        self.middle = nn.Conv2d(channels[1], width, 1)
        self.coarse = nn.Conv2d(channels[2], width, 1)
        self.mix1 = nn.Conv2d(width, width, 3, padding=1)
        self.mix2 = nn.Conv2d(width, width, 3, padding=1)
        self.down = nn.Conv2d(width, out, 1)
        self.smooth = nn.Conv2d(out, out, 3, padding=1)

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor) -> Tensor:
        """Maps of strides 8, 16 and 32 -> (N, out, H / 8, W / 8)."""
        relu = functional.relu
        x = relu(self.middle(middle) + _enlarged(self.coarse(coarse), middle))
        x = x + relu(self.mix1(x))
        x = x + relu(self.mix2(x))
        x = relu(self.fine(fine) + _enlarged(self.down(x), fine))
        found: Tensor = x + relu(self.smooth(x))
        return found


class Refinement(nn.Module):
    """From the map and a part of it around each joint to where in its part each joint is.

    Args:
        joints: How many: each has a heat map of its own, as it has a regressor of its own in the
            paper (equation 7).
        channels: Of the map.
        context: Length of the first stage's vector. It says what pose it is about, and adds to the
            weights by which the channels go into a joint's heat map.
        bins: Places a side of each part.
    """

    def __init__(self, joints: int, channels: int, context: int, bins: int) -> None:
        super().__init__()
        self.bins = bins
        self.heat = nn.Conv2d(channels, joints, 1)
        self.context = nn.Linear(context, joints * channels)
        nn.init.normal_(self.heat.weight, std=0.05)
        nn.init.zeros_(self.context.weight)
        nn.init.zeros_(self.context.bias)

    def forward(self, evidence: Tensor, context: Tensor, parts: Tensor) -> Tensor:
        """The logarithm of how probable it is that a joint is at a place of its part.

        Args:
            evidence: (N, C, H, W).
            context: (N, context).
            parts: (N, J, 4) x0, y0, x1, y1 as fractions of the map's width and height.

        Returns:
            (N, J, bins, bins): every joint's probabilities sum up to 1.
        """
        heat = self.heat(evidence)
        weights = self.context(context).reshape(*heat.shape[:2], -1)
        heat = heat + torch.bmm(weights, evidence.flatten(2)).reshape(heat.shape)
        heat = heat.float().flatten(0, 1)[:, None]
        height, width = heat.shape[-2:]
        boxes = parts.flatten(0, 1).float() * heat.new_tensor([width, height, width, height])
        rows = torch.arange(len(boxes), device=boxes.device, dtype=boxes.dtype)
        cut = roi_align(
            heat, torch.cat([rows[:, None], boxes], dim=1), self.bins,
            spatial_scale=1.0, sampling_ratio=1, aligned=True,
        )  # fmt: skip
        logs: Tensor = cut.flatten(1).log_softmax(dim=1)
        return logs.reshape(*parts.shape[:2], self.bins, self.bins)


class Later(NamedTuple):
    """What one of the later stages says of N people.

    Attributes:
        joints: (N, J, 2) as fractions of the crop.
        parts: (N, J, 4) x0, y0, x1, y1 of what it looked at, likewise.
        logs: (N, J, bins, bins): logarithms of the probabilities of the places in a part.
    """

    joints: Tensor
    parts: Tensor
    logs: Tensor


class LitePose(nn.Module):
    """A cascade of regressors; see the module.

    Args:
        joints: How many.
        reach: For every later stage the side of the part around a joint that it looks at, in
            sizes of the pose; see `parts_around`.
        widths: Channels that the first stage reduces the maps of strides 16 and 32 to.
        hidden: Width of its first fully connected layer.
        width: Channels of the map for the later stages, at stride 16.
        evidence: Channels of it at stride 8.
        bins: Places a side of a part.
    """

    def __init__(
        self,
        joints: int = len(JOINTS),
        *,
        reach: Sequence[float] = REACH,
        widths: tuple[int, int] = (24, 48),
        hidden: int = 96,
        width: int = 64,
        evidence: int = 48,
        bins: int = 11,
    ) -> None:
        super().__init__()
        self.reach = tuple(reach)
        self.body = lite.stages(lite.EfficientNetLite0())
        fine, middle, coarse = (lite.STAGES[number].channels for number in lite.TAPS)
        self.first = FirstStage(joints, (middle, coarse), widths, hidden)
        self.evidence = Evidence((fine, middle, coarse), width, evidence)
        self.later = nn.ModuleList(Refinement(joints, evidence, hidden, bins) for _ in self.reach)

    def forward(self, crops: Tensor) -> dict[str, Tensor]:
        """(N, 3, 224, 224) normalized RGB, one person in each -> that person's joints.

        Crops of another size are resized.

        Returns:
            `joints` (N, J, 2): x, y as fractions of the crop's sides, y down; `stages`
            (S, N, J, 2): the same of every stage of the cascade, the last being `joints`; `parts`
            (S - 1, N, J, 4): x0, y0, x1, y1 of what each later stage looked at, likewise; `heat`
            (S - 1, N, J, bins, bins): how probable each place of a part is. Joints and parts may
            lie outside of the crop.
        """
        if crops.shape[-2:] != (SIDE, SIDE):
            crops = functional.interpolate(
                crops, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
            )
        first, later = self.cascade(lite.body_maps(self.body, crops))
        return {
            "joints": later[-1].joints if later else first,
            "stages": torch.stack([first, *(stage.joints for stage in later)]),
            "parts": _stacked([stage.parts for stage in later]),
            "heat": _stacked([stage.logs.exp() for stage in later]),
        }

    def cascade(self, maps: Sequence[Tensor], noise: float = 0.0) -> tuple[Tensor, list[Later]]:
        """The joints (N, J, 2) of the first stage, and what the later ones made of them.

        Args:
            maps: Of the body, of strides 8, 16 and 32.
            noise: In training joints are moved by so much of a part's side (standard deviation)
                before the part is cut out: a stage errs more on people it has not learned from.
                The paper draws all of this displacement (section 3.2).
        """
        fine, middle, coarse = maps
        first, context = self.first(middle, coarse)
        joints, found = first, []
        evidence = self.evidence(fine, middle, coarse) if self.later else fine
        for stage, reach in zip(self.later, self.reach, strict=True):
            parts = parts_around(joints.detach(), reach, noise)
            logs = stage(evidence, context, parts)
            joints = mean_places(logs.exp(), parts)
            found.append(Later(joints, parts, logs))
        return first, found


def parts_around(joints: Tensor, reach: float, noise: float = 0.0) -> Tensor:
    """(N, J, 2) joints -> (N, J, 4) x0, y0, x1, y1 of a square around each one.

    Args:
        joints: As fractions of the crop.
        reach: Side of the squares in sizes of the pose. The size is the longer side of the box
            around the joints: the torso, which the paper takes, is short where a person is seen
            from above or below.
        noise: See `LitePose.cascade`.
    """
    size = (joints.amax(dim=1) - joints.amin(dim=1)).amax(dim=1).clamp(LEAST_SIZE, 1.0)
    side = (reach * size)[:, None, None]
    if noise:
        joints = joints + noise * side * torch.randn_like(joints)
    return torch.cat([joints - side / 2, joints + side / 2], dim=2)


def mean_places(heat: Tensor, parts: Tensor) -> Tensor:
    """The mean place by probability: heat (N, J, h, w) in parts (N, J, 4) -> (N, J, 2).

    Sun et al. 2018, "Integral human pose regression", equation 2; a place is the center of a bin.
    """
    rows, columns = heat.shape[-2:]
    x = (torch.arange(columns, device=heat.device) + 0.5) / columns
    y = (torch.arange(rows, device=heat.device) + 0.5) / rows
    inside = torch.stack([heat.sum(dim=2) @ x, heat.sum(dim=3) @ y], dim=2)
    return parts[..., :2] + inside * (parts[..., 2:] - parts[..., :2])


def _enlarged(maps: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(maps, like.shape[-2:], mode="bilinear", align_corners=False)


def _stacked(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)) if values else torch.zeros(0)


def joints_in(state: Mapping[str, Tensor] | None) -> dict[str, object]:
    """What the tensors of a `LitePose` say about its joints and stages.

    Nothing where these are as those of the network that ships.
    """
    bias = None if state is None else state.get("first.fc2.bias")
    if state is None or bias is None:
        return {}
    found: dict[str, object] = {}
    if len(bias) != 2 * len(JOINTS):
        found["joints"] = len(bias) // 2
    if not any(name.startswith("later.") for name in state):
        found["reach"] = ()
    return found


def lite_pose(num_classes: int = 2, **options: object) -> LitePose:
    """See `LitePose`. There are two classes, background and person, but no choice between them."""
    del num_classes
    return LitePose(**options)  # type: ignore[arg-type]
