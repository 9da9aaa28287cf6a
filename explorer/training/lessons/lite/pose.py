"""Training of `lite-pose`: a cascade of regressors on the frozen body of `lite-fasterrcnn`.

Toshev & Szegedy 2014, "DeepPose". All stages learn at once, each on what the one before it says,
moved at random; people are turned, too, as many of them lie or stand on their hands.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.lite import MEAN, STD
from explorer.networks.embedded.lite_pose import JOINTS, MIRRORED, SIDE, lite_pose
from explorer.training.cards import Share
from explorer.training.checkpoints import part_of
from explorer.training.data.canvases import pixels_of
from explorer.training.data.crops import SHIFT, TURN, ZOOM, drawn_crop, persons
from explorer.training.data.kept_maps import kept_maps
from explorer.training.data.pool import people, read_lspet, read_pool, with_lspet_joints
from explorer.training.lessons.lite import detector
from explorer.training.lite_body import folded_maps
from explorer.training.loop import Recipe, step_seed
from explorer.vision.features.person_crops import joints_back, person_crop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.networks.embedded.lite_pose import LitePose
    from explorer.training.cards import Facts
    from explorer.training.data.crops import Person
    from explorer.training.data.kept_maps import KeptMaps
    from explorer.training.data.pool import Joints, PoolPhoto
    from explorer.training.lessons.registry import Material

DETECTOR, BODY = "lite-fasterrcnn", "backbone.body."
"""The network whose part this one stands on, and how that part's weights are called there."""

RECIPE = Recipe(
    epochs=16, batch=32, peak=2e-3, warmup=0.05, decay=0.02, average=0.997, clip=5.0,
    optimizer="adamw",
)  # fmt: skip

CROPS, POOL_CROPS = 4, 1
"""Of every person of Leeds Sports Pose, and of the pool."""

LEAST_JOINTS = 8
"""People of the pool with fewer known ones are left out: too little of them is in the photo."""

NOISE = 0.15
"""See `LitePose.cascade`."""

SMOOTH = 0.02
"""Errors below this share of the crop count squared, larger ones plainly."""

HEAT, SPREAD = 0.05, 0.8
"""The weight of `heat_loss`; its standard deviation in places."""

PCK = (0.2, 0.5)
"""A joint is right within this share of the torso, from the left shoulder to the right hip."""

LEFT_SHOULDER, RIGHT_HIP = JOINTS.index("left_shoulder"), JOINTS.index("right_hip")

DATA = (
    "2,000 people of Leeds Sports Pose Extended with 14 joints, in four crops each, and 3,264"
    " people of COCO photos with the twelve joints that both data sets have, in one. The body is"
    " that of lite-fasterrcnn, with its data."
)
FAILURES = (
    "Expects one person who fills the crop. Knees, ankles and wrists are often wrong. Left and"
    " right are confused: of the wrong joints of arms and legs more than a quarter lie at the same"
    " joint of the other side. Of people upside down a third of the joints are correct (PCK@0.2)."
)


@dataclass(slots=True, eq=False, kw_only=True)
class PoseTask:
    """See `loop.Task`; a "photo" is a crop.

    Args:
        crowd: The people to learn from and how many crops are drawn of each.
        weights: Of the trained `lite_fasterrcnn`; None = random ones.
        kept: Folder for the body's maps of the crops.
        recipe: The numbers.
        name: Of the network.
    """

    crowd: Sequence[tuple[Sequence[Person], int]]
    weights: dict[str, Tensor] | None
    kept: Path
    recipe: Recipe = RECIPE
    name: str = "lite-pose"
    photos: int = field(init=False)
    _maps: KeptMaps | None = None

    def __post_init__(self) -> None:
        self.photos = sum(len(some) * times for some, times in self.crowd)

    def settings(self) -> dict[str, object]:
        return {
            "body": DETECTOR, "frozen": "body", "crops": self.photos, "crop": SIDE, "zoom": ZOOM,
            "shift": SHIFT, "turn": TURN, "noise": NOISE, "heat": HEAT,
        }  # fmt: skip

    def build(self) -> nn.Module:
        model = lite_pose()
        if self.weights is not None:
            model.body.load_state_dict(part_of(self.weights, BODY))
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        model.get_submodule("body").eval().requires_grad_(requires_grad=False)

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        if self._maps is None:
            self._maps = self._kept(model, device)
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        numbers = np.sort(rng.integers(0, len(self._maps), self.recipe.batch))
        maps, joints = self._maps.batch(numbers, device)
        first, later = model.cascade(maps, NOISE)
        losses = {"stage 1": joint_loss(first, joints)}
        for number, stage in enumerate(later, start=2):
            losses[f"stage {number}"] = joint_loss(stage.joints, joints)
            losses[f"heat {number}"] = HEAT * heat_loss(stage.logs, stage.parts, joints)
        return losses

    def _kept(self, model: Any, device: torch.device) -> KeptMaps:
        content = {
            "people": self._digest(), "body weights": _sum_of(model.body), "crop": SIDE,
            "zoom": ZOOM, "shift": SHIFT, "turn": TURN, "seed": self.recipe.seed,
        }  # fmt: skip
        return kept_maps(
            self.kept, content, self._crops(), self.photos,
            lambda pixels: _body_maps(model.body, pixels, device),
        )  # fmt: skip

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for some, times in self.crowd:
            digest.update(f"{times} crops of each".encode())
            for person in some:
                digest.update(person.photo.path.name.encode())
                digest.update(person.box.tobytes() + person.joints.tobytes())
        return digest.hexdigest()

    def _crops(self) -> Iterator[tuple[NDArray[np.uint8], Joints]]:
        rng = np.random.default_rng(self.recipe.seed)
        for some, times in self.crowd:
            for _ in range(times):
                for person in some:
                    yield drawn_crop(person, SIDE, MIRRORED, rng)


def joint_loss(found: Tensor, joints: Tensor) -> Tensor:
    """The mean smooth L1 distance (Girshick 2015) of the known joints.

    Args:
        found: (N, J, 2) as fractions of the crop.
        joints: (N, J, 3) likewise; those with a third number of 0 are not known.
    """
    known = (joints[..., 2] > 0).float()
    off = functional.smooth_l1_loss(found, joints[..., :2], reduction="none", beta=SMOOTH)
    return (off.sum(dim=2) * known).sum() / known.sum().clamp(min=1)


def heat_loss(logs: Tensor, parts: Tensor, joints: Tensor) -> Tensor:
    """The mean cross-entropy of heat maps and normal distributions around the joints.

    Coordinates alone teach little once a map has one narrow peak, right or wrong: moving it a
    little changes nothing. Joints outside of their part are left out.

    Args:
        logs: (N, J, h, w) logarithms of probabilities.
        parts: (N, J, 4) x0, y0, x1, y1 as fractions of the crop.
        joints: (N, J, 3) likewise; those with a third number of 0 are not known.
    """
    rows, columns = logs.shape[-2:]
    inside = (joints[..., :2] - parts[..., :2]) / (parts[..., 2:] - parts[..., :2])
    known = (joints[..., 2] > 0) & ((inside >= 0) & (inside <= 1)).all(dim=2)
    x = torch.arange(columns, device=logs.device) + 0.5 - inside[..., :1] * columns  # (N, J, w)
    y = torch.arange(rows, device=logs.device) + 0.5 - inside[..., 1:] * rows
    wide = (-(x**2) / (2 * SPREAD**2)).softmax(dim=2)
    high = (-(y**2) / (2 * SPREAD**2)).softmax(dim=2)
    wanted = high[..., :, None] * wide[..., None, :]
    off = -(wanted * logs).sum(dim=(2, 3)) * known
    return off.sum() / known.sum().clamp(min=1)


def _sum_of(body: nn.Module) -> float:
    """Tells other weights apart; rounded, as sums differ in their last digits."""
    return round(sum(float(value.double().abs().sum()) for value in body.parameters()), 3)


@torch.no_grad()
def _body_maps(body: Any, pixels: NDArray[np.uint8], device: torch.device) -> list[Tensor]:
    with torch.autocast(device.type, enabled=False):
        return folded_maps(body, normalized_crops(pixels).to(device))


def normalized_crops(pixels: NDArray[np.uint8]) -> Tensor:
    """(N, side, side, 3) RGB -> (N, 3, side, side) float32 as the body wants it."""
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std


def task(name: str, material: Material) -> PoseTask:
    """See `lessons`."""
    pool = people(read_pool(material.folder))
    others = persons(map(with_lspet_joints, pool.photos), LEAST_JOINTS)
    crowd = [(others, POOL_CROPS)]
    if material.joints is not None:
        own = persons(read_lspet(material.joints, "train", own=True), 1)
        crowd.insert(0, (own, CROPS))
    if not any(some for some, _ in crowd):
        raise ExplorerError(
            f"No person in {material.folder} has keypoints.",
            "Give annotations with keypoints, or a folder with --joints.",
        )
    return PoseTask(
        crowd=crowd,
        weights=material.trained(DETECTOR),
        kept=material.root / "cache" / name,
        recipe=material.recipe(RECIPE),
        name=name,
    )


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    found = detector.facts(DETECTOR, material)
    return replace(
        found,
        title="Lite DeepPose",
        task="pose",
        function="lite_pose",
        kwargs={},
        classes=found.classes[:2],
        preprocessing={"resize": SIDE, "crop": SIDE, "mean": list(MEAN), "std": list(STD)},
        example=(1, 3, SIDE, SIDE),
        measured_on="300 held-out photos of Leeds Sports Pose Extended, in the ground-truth"
        " boxes of the people",
        default_layer="evidence",
        data=DATA,
        shares=(Share(DETECTOR, "body.", BODY),),
        extra={"failures": FAILURES, "keypoints": list(JOINTS)},
    )


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    if material.joints is None:
        return {}
    return correct_joints(model, read_lspet(material.joints, "validation", own=True))


@torch.inference_mode()
def correct_joints(model: Any, photos: Sequence[PoolPhoto]) -> dict[str, Any]:
    """The percentage of correct keypoints (Yang & Ramanan 2013), of the torso.

    Args:
        model: As `lite_pose` makes it, in eval mode, on the CPU.
        photos: With one person each and `JOINTS`; the network sees the person's box.

    Returns:
        `PCK@0.2`, `PCK@0.5` and `PCK@0.2 of stage 1`… over all known joints of people whose torso
        is known, and `PCK by joint`.
    """
    found, truth = [], []
    for photo in photos:
        assert photo.joints is not None
        joints = photo.joints[0]
        if (joints[[LEFT_SHOULDER, RIGHT_HIP], 2] > 0).all():
            found.append(joints_in(model, pixels_of(photo), photo.boxes[0]))
            truth.append(joints)
    places, known = np.stack(truth)[..., :2], np.stack(truth)[..., 2] > 0  # (P, J, 2), (P, J)
    torso = np.linalg.norm(places[:, LEFT_SHOULDER] - places[:, RIGHT_HIP], axis=1)[:, None]
    off = np.linalg.norm(np.stack(found, axis=1) - places, axis=3)  # (stages, P, J)
    shares = {
        limit: [round(float((stage <= limit * torso)[known].mean()), 4) for stage in off]
        for limit in PCK
    }
    near = (off[-1] <= PCK[0] * torso) & known
    return {
        **{f"PCK@{limit}": by_stage[-1] for limit, by_stage in shares.items()},
        **{
            f"PCK@{PCK[0]} of stage {number}": share
            for number, share in enumerate(shares[PCK[0]][:-1], start=1)
        },
        "PCK by joint": {
            name: round(float(near[:, j].sum() / known[:, j].sum()), 4)
            for j, name in enumerate(JOINTS)
            if known[:, j].any()
        },
    }


def joints_in(
    model: LitePose, pixels: NDArray[np.uint8], box: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The joints of the person in a box, after every stage of the cascade.

    Args:
        model: In eval mode, on the CPU.
        pixels: (H, W, 3) RGB.
        box: (4,) xyxy in its pixels.

    Returns:
        (S, J, 2) float32 x, y in the photo's pixels.
    """
    stages = model(normalized_crops(person_crop(pixels, box, SIDE)[None]))["stages"][:, 0]
    return np.stack([joints_back(joints, box) for joints in stages.numpy()])
