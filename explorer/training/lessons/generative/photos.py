"""Training of `mini-superres` and of `mini-colorize`: pairs that any photo gives by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.evaluation.generated.pictures import signal_to_noise
from explorer.images.image import open_image
from explorer.networks.generative.colorizer import (
    TAPS,
    Colorizer,
    bin_shares,
    colors_of,
    gray_input,
)
from explorer.networks.generative.super_resolution import SCALE, SuperResolution, bicubic
from explorer.training.cards import Facts, Share, rounded
from explorer.training.checkpoints import part_of
from explorer.training.data.canvases import pixels_of
from explorer.training.data.pool import read_pool
from explorer.training.lite_body import folded_maps
from explorer.training.loop import Recipe, step_seed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from explorer.training.data.pool import PoolPhoto
    from explorer.training.lessons.registry import Material

RESOLUTION = Recipe(
    epochs=10, batch=4, peak=6e-4, warmup=0.02, decay=0.0, average=0.999, clip=1.0,
    optimizer="adamw", floor=0.01,
)  # fmt: skip
COLORS = Recipe(
    epochs=12, batch=16, peak=2e-3, warmup=0.05, decay=0.01, average=0.998, clip=5.0,
    optimizer="adamw", floor=0.01,
)  # fmt: skip

PATCH, PATCHES = 112, 6
"""Side of a patch of the large picture, and how many are cut from a photo: reading one takes as
long as learning from a few."""

SIDE = 160
"""Of the crops that are colored."""


VIVID = 0.38
"""Temperature of Zhang et al. 2016."""

DATA = (
    "11,764 photos of several public sets (COCO, ImageNet, Pascal VOC and others), without their"
    " annotations."
)
LICENSE = (
    "Trained on photos that are offered for research: check their terms before any other use. The"
    " program contains none of these photos."
)
RESOLUTION_FAILURES = (
    "Knows one way of getting smaller, without noise and without compression: of a photo with JPEG"
    " blocks it sharpens the blocks. Fine texture and small letters stay lost; what it adds is"
    " plausible, not evidence."
)
COLOR_FAILURES = (
    "Sky, grass, skin and wood are mostly right; clothes, cars and painted walls could have any"
    " color and come out brownish or gray. What it shows is plausible, not what was there."
)


@dataclass(slots=True, eq=False, kw_only=True)
class ResolutionTask:
    """See `loop.Task`: the mean absolute difference to the photo that was reduced."""

    pool: Sequence[PoolPhoto]
    recipe: Recipe = RESOLUTION
    name: str = "mini-superres"
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.pool)

    def settings(self) -> dict[str, object]:
        return {"photos": self.photos, "patch": PATCH, "patches of a photo": PATCHES}

    def build(self) -> nn.Module:
        return SuperResolution()

    def prepare(self, model: nn.Module) -> None:
        model.train()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        patches: list[NDArray[np.uint8]] = []
        for row in rng.integers(0, self.photos, self.recipe.batch).tolist():
            patches += cut_patches(pixels_of(self.pool[row]), rng)
        large = torch.from_numpy(np.stack(patches)).to(device).permute(0, 3, 1, 2).float() / 255
        small = bicubic(large, 1 / SCALE).clamp(0, 1)
        small = (small * 255).round() / 255
        return {"L1": functional.l1_loss(model(small), large)}


def cut_patches(pixels: NDArray[np.uint8], rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """`PATCHES` squares of a photo in one of the eight symmetries, those with detail preferred."""
    height, width = pixels.shape[:2]
    if min(height, width) < PATCH:
        scale = PATCH / min(height, width)
        size = max(PATCH, round(width * scale)), max(PATCH, round(height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
        height, width = pixels.shape[:2]
    found = []
    for _ in range(2 * PATCHES):
        y, x = rng.integers(0, height - PATCH + 1), rng.integers(0, width - PATCH + 1)
        patch = np.rot90(pixels[y : y + PATCH, x : x + PATCH], int(rng.integers(4)))
        found.append(patch[:, ::-1] if rng.random() < 0.5 else patch)
    detail = [float(np.abs(np.diff(patch[::2, :, 1].astype(np.int16))).mean()) for patch in found]
    # every second is taken as it comes: plain sky has to be learned, too
    first = list(range(PATCHES // 2))
    others = sorted(range(PATCHES // 2, len(found)), key=lambda k: -detail[k])
    return [np.ascontiguousarray(found[k]) for k in [*first, *others][:PATCHES]]


@dataclass(slots=True, eq=False, kw_only=True)
class ColorTask:
    """See `loop.Task`: the cross entropy of the bins around each color.

    Args:
        pool: Photos; those without color are passed over.
        body: Weights of the body, which is frozen.
    """

    pool: Sequence[PoolPhoto]
    body: dict[str, Tensor]
    recipe: Recipe = COLORS
    name: str = "mini-colorize"
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.pool)

    def settings(self) -> dict[str, object]:
        return {"photos": self.photos, "side": SIDE, "frozen": "body"}

    def build(self) -> nn.Module:
        model = Colorizer()
        model.body.load_state_dict(self.body)
        model.body.requires_grad_(False)
        return model

    def prepare(self, model: nn.Module) -> None:
        model.train()
        model.get_submodule("body").eval()

    def losses(
        self, model: Any, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        rng = np.random.default_rng(step_seed(self.recipe.seed, step))
        crops: list[NDArray[np.float32]] = []
        while len(crops) < self.recipe.batch:
            crop = _crop(pixels_of(self.pool[int(rng.integers(self.photos))]), rng)
            if np.abs(crop[..., 1:]).mean() > 1:  # gray photos would teach gray
                crops.append(crop)
        lab = torch.from_numpy(np.stack(crops)).to(device).permute(0, 3, 1, 2).contiguous()
        with torch.no_grad():
            maps = folded_maps(model.body, gray_input(lab[:, :1]), TAPS)
        logits = model.scores(*maps).float()
        colors = functional.avg_pool2d(lab[:, 1:], 4)
        return {"colors": functional.cross_entropy(logits, bin_shares(colors))}


def lab_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 sRGB -> (H, W, 3) float32 CIELAB: L* 0..100, a, b."""
    found: NDArray[np.float32] = cv2.cvtColor(
        pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB
    ).astype(np.float32, copy=False)
    return found


def _crop(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    height, width = pixels.shape[:2]
    part = min(height, width) * rng.uniform(0.55, 1.0)
    y, x = rng.uniform(0, height - part), rng.uniform(0, width - part)
    cut = pixels[int(y) : int(y + part) + 1, int(x) : int(x + part) + 1]
    small = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return lab_of(small[:, ::-1] if rng.random() < 0.5 else small)


def task(name: str, material: Material) -> ResolutionTask | ColorTask:
    """See `lessons`."""
    pool = read_pool(material.folder).photos
    if name == "mini-superres":
        return ResolutionTask(pool=pool, recipe=material.recipe(RESOLUTION), name=name)
    body = part_of(material.trained("lite-fasterrcnn"), "backbone.body.")
    return ColorTask(pool=pool, body=body, recipe=material.recipe(COLORS), name=name)


def facts(name: str, material: Material) -> Facts:
    """See `lessons`."""
    where = "photos of coco-mini" if material.coco else "nothing"
    if name == "mini-superres":
        return Facts(
            title="Mini super-resolution (x 4)",
            task="translation",
            function="super_resolution",
            kwargs={},
            classes=[],
            preprocessing={"scale": SCALE},
            example=(1, 3, 64, 64),
            measured_on=f"{where}, reduced to a quarter of their sides by antialiased cubic"
            " interpolation",
            default_layer="blocks.7",
            data=DATA,
            license=LICENSE,
            extra={"failures": RESOLUTION_FAILURES},
            eight_bit=True,
        )
    return Facts(
        title="Mini colorization",
        task="translation",
        function="colorizer",
        kwargs={},
        classes=[],
        preprocessing={"resize": SIDE},
        example=(1, 1, SIDE, SIDE),
        measured_on=f"{where}; the root mean square of the difference in a, b of CIELAB",
        default_layer="join.2",
        data=DATA,
        license=LICENSE,
        extra={"failures": COLOR_FAILURES},
        shares=(Share("lite-fasterrcnn", "body.", "backbone.body."),),
        eight_bit=True,
    )


@torch.inference_mode()
def measure(name: str, model: Any, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    if material.coco is None:
        return {}
    paths = sorted((material.coco / "images").iterdir())
    photos = (open_image(path).pixels for path in paths)
    if name == "mini-superres":
        return rounded(resolution_figures(model, photos))
    return rounded(color_figures(model, photos))


def resolution_figures(model: Any, photos: Iterable[NDArray[np.uint8]]) -> dict[str, float]:
    """Peak signal-to-noise ratio in dB, mean over photos; four pixels at the rim do not count."""
    ratios = []
    for pixels in photos:
        height, width = (side // SCALE * SCALE for side in pixels.shape[:2])
        large = (
            torch.from_numpy(pixels[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
        )
        small = (bicubic(large, 1 / SCALE).clamp(0, 1) * 255).round() / 255
        inner = (..., slice(SCALE, -SCALE), slice(SCALE, -SCALE))
        ratios.append([
            signal_to_noise(made[inner], large[inner])
            for made in (model(small), bicubic(small, SCALE))
        ])  # fmt: skip
    ours, plain = np.mean(ratios, axis=0)
    return {"PSNR": float(ours), "PSNR of bicubic": float(plain), "gain": float(ours - plain)}


def color_figures(model: Any, photos: Iterable[NDArray[np.uint8]]) -> dict[str, float]:
    """Of the mean color, of the annealed mean and of gray; photos without color do not count."""
    off = []
    for pixels in photos:
        scale = SIDE / min(pixels.shape[:2])
        size = [max(32, round(side * scale / 32) * 32) for side in pixels.shape[1::-1]]
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        lab = torch.from_numpy(lab_of(small)).permute(2, 0, 1)[None]
        if lab[:, 1:].abs().mean() < 1:
            continue
        logits = model(lab[:, :1])
        found = [
            functional.interpolate(
                colors_of(logits, temperature), lab.shape[2:], mode="bilinear", align_corners=False
            )
            for temperature in (1.0, VIVID)
        ]
        off.append([
            float((made - lab[:, 1:]).square().mean().sqrt())
            for made in (*found, torch.zeros_like(found[0]))
        ])  # fmt: skip
    mean, vivid, gray = np.mean(off, axis=0)
    return {
        "error of the mean color": float(mean), f"error at temperature {VIVID}": float(vivid),
        "error of gray": float(gray),
    }  # fmt: skip
