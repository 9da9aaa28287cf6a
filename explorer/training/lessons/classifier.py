"""Training of classifiers, and the lesson of `mini-resnet`: 200 classes, 76 000 photos of 64x64."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.embedded import MEAN, STD, mini_resnet
from explorer.training.cards import Facts, rounded
from explorer.training.data.tiny_imagenet import write_categories
from explorer.training.loop import Recipe, step_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.evaluation.photo_set import PhotoSet
    from explorer.training.lessons.registry import Material

RECIPE = Recipe(epochs=34, batch=128, peak=0.2)

SIDE = 80
"""Short side and center crop for a photo of any size: the best of those tried."""

TEMPERATURE = 2.0
"""Of the softmax of student and teacher."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Until `end` (of all steps, in [0, 1]) every batch has one of these sides, drawn at random."""

    end: float
    sides: tuple[int, ...]


PHASES = (
    Phase(0.30, (40,)),
    Phase(0.55, (48,)),
    Phase(0.90, (56, 64)),
    Phase(1.00, (64, 80)),
)
"""Small pictures first, which is fast (Howard 2018); mixed sizes last, so that real photos work."""


@dataclass(slots=True, eq=False)
class ClassifierTask:
    """For the loop; see `loop.Task`.

    With a `teacher`, a trained classifier of the same classes, half of the loss asks for the
    teacher's shares of the very same views instead of the label (Hinton et al. 2015, "Distilling
    the Knowledge in a Neural Network"), both softened by `TEMPERATURE`.
    """

    data: PhotoSet
    recipe: Recipe = RECIPE
    num_classes: int = 200
    phases: tuple[Phase, ...] = PHASES
    smoothing: float = 0.1
    name: str = "mini-resnet"
    make: Callable[[int], nn.Module] = mini_resnet
    teacher: nn.Module | None = None
    photos: int = field(init=False)

    def __post_init__(self) -> None:
        self.photos = len(self.data)

    def settings(self) -> dict[str, object]:
        phases = [asdict(phase) for phase in self.phases]
        if self.teacher is None:
            return {"phases": phases, "smoothing": self.smoothing}
        return {"phases": phases, "teacher": "mini-resnet", "temperature": TEMPERATURE}

    def build(self) -> nn.Module:
        return self.make(self.num_classes)

    def prepare(self, model: nn.Module) -> None:
        model.train()
        if self.teacher is not None:
            device = next(model.parameters()).device
            self.teacher.to(device).to(memory_format=torch.channels_last)
            self.teacher.eval()

    def losses(
        self, model: nn.Module, step: int, progress: float, device: torch.device
    ) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(step_seed(self.recipe.seed, step))
        rows = batch_rows(step, len(self.data), self.recipe.batch, self.recipe.seed)
        sides = next(phase.sides for phase in self.phases if progress < phase.end)
        side = sides[int(torch.randint(len(sides), (), generator=generator))]
        pixels = torch.from_numpy(self.data.pixels[rows]).to(device)
        labels = torch.from_numpy(self.data.labels[rows]).to(device)
        views = random_view(pixels, side, generator)
        logits = model(views).float()
        if self.teacher is None:
            loss = functional.cross_entropy(logits, labels, label_smoothing=self.smoothing)
            return {"loss": loss}
        with torch.no_grad():
            wanted = self.teacher(views).float()
        return {
            "labels": 0.5 * functional.cross_entropy(logits, labels),
            "teacher": 0.5 * distilled(logits, wanted),
        }


def distilled(logits: Tensor, teacher: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """T^2 times the divergence of two softened outputs, (N, C) each; 0 where they agree."""
    return temperature**2 * functional.kl_div(
        (logits / temperature).log_softmax(1),
        (teacher / temperature).log_softmax(1),
        reduction="batchmean",
        log_target=True,
    )


def batch_rows(step: int, count: int, batch: int, seed: int) -> NDArray[np.int64]:
    """The photos of a step: consecutive parts of one random order per epoch, without gaps.

    Sorted, which is kinder to a memory map.
    """
    first = step * batch
    places = np.arange(first, first + batch)
    epochs, within = np.divmod(places, count)
    rows = [_order(int(e), count, seed)[within[epochs == e]] for e in np.unique(epochs)]
    return np.sort(np.concatenate(rows))


@lru_cache(maxsize=2)
def _order(epoch: int, count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(count)


def normalize(pixels: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in channels_last, as the networks need it."""
    mean, std = (torch.tensor(v, device=pixels.device) * 255 for v in (MEAN, STD))
    return ((pixels.float() - mean) / std).permute(0, 3, 1, 2)


def random_view(
    pixels: Tensor,
    side: int,
    generator: torch.Generator,
    *,
    area: tuple[float, float] = (0.2, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Tensor:
    """A random part of every photo, resized, perhaps mirrored, with its colors shifted.

    As the random resized crop of Szegedy et al. 2015, for the whole batch at once: one affine grid.

    Args:
        pixels: (N, H, W, 3) uint8 RGB.
        side: Of the result.
        generator: On the CPU.
        area: The part of the photo that is kept.
        ratio: Its aspect ratio relative to the photo's.

    Returns:
        (N, 3, side, side) float32, normalized.
    """
    crop = random_crop(len(pixels), generator, area=area, ratio=ratio)
    return seen_through(crop, pixels, side, generator)


def random_crop(
    count: int,
    generator: torch.Generator,
    *,
    area: tuple[float, float] = (0.2, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Tensor:
    """Which parts `random_view` shows.

    Returns:
        (count, 2, 3) float32: from a place in the view to its place in the photo, both as x, y in
        [-1, 1] from edge to edge (`torch.nn.functional.affine_grid`). A mirrored view has a
        negative first number.
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    part = uniform(*area)
    stretch = uniform(float(np.log(ratio[0])), float(np.log(ratio[1]))).exp().sqrt()
    width = (part.sqrt() * stretch).clamp(max=1)
    height = (part.sqrt() / stretch).clamp(max=1)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    crop = torch.zeros(count, 2, 3)
    crop[:, 0, 0], crop[:, 1, 1] = width * mirror, height
    crop[:, 0, 2] = (1 - width) * uniform(-1, 1)
    crop[:, 1, 2] = (1 - height) * uniform(-1, 1)
    return crop


def seen_through(crop: Tensor, pixels: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """The parts `crop` of (N, H, W, 3) uint8 photos, resized to `side`, in other colors."""
    count, device = len(pixels), pixels.device
    contrast = torch.rand(count, generator=generator) * 0.6 + 0.7
    brightness = torch.rand(count, generator=generator) * 0.8 - 0.4
    gray = torch.where(torch.rand(count, generator=generator) < 0.05, 1.0, 0.0)

    grid = functional.affine_grid(crop.to(device), [count, 3, side, side], align_corners=False)
    view = functional.grid_sample(
        normalize(pixels), grid, padding_mode="reflection", align_corners=False
    )
    luma = view.mean(1, keepdim=True)
    view = torch.lerp(view, luma, gray.to(device).view(-1, 1, 1, 1))
    scale, shift = (v.to(device).view(-1, 1, 1, 1) for v in (contrast, brightness))
    return (view * scale + shift).contiguous(memory_format=torch.channels_last)


def batches(
    data: PhotoSet, device: torch.device, *, side: int | None = None, batch: int = 250
) -> Iterator[tuple[slice, Tensor]]:
    """All photos in their order: their rows and (n, 3, side, side) normalized."""
    for start in range(0, len(data), batch):
        rows = slice(start, start + batch)
        images = normalize(torch.from_numpy(np.array(data.pixels[rows])).to(device))
        if side is not None and side != images.shape[-1]:
            images = functional.interpolate(
                images, size=(side, side), mode="bilinear", antialias=True
            )
        yield rows, images.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def accuracy(
    model: nn.Module, data: PhotoSet, *, side: int | None = None, batch: int = 250
) -> dict[str, float]:
    """Top-1 and top-5 of a network in eval mode.

    Args:
        model: (N, 3, H, W) -> (N, classes).
        data: PhotoSet it was not trained on.
        side: Resize the photos to this side first; None = as they are.
        batch: How many at once.
    """
    device = next(model.parameters()).device
    hits = {1: 0, 5: 0}
    for rows, images in batches(data, device, side=side, batch=batch):
        logits = model(images)
        best = logits.topk(min(5, logits.shape[1])).indices.cpu()
        right = best == torch.from_numpy(data.labels[rows])[:, None]
        for k in hits:
            hits[k] += int(right[:, :k].any(1).sum())
    return {f"top{k}": count / len(data) for k, count in hits.items()}


def task(name: str, material: Material) -> ClassifierTask:
    """See `lessons`."""
    recipe = material.recipe(RECIPE)
    return ClassifierTask(material.train, recipe, len(material.categories), name=name)


def facts(_name: str, material: Material) -> Facts:
    """See `lessons`."""
    return classifier_facts("Mini ResNet", "mini_resnet", "layer3", SIDE, material)


def classifier_facts(
    title: str, function: str, default_layer: str, side: int, material: Material
) -> Facts:
    """What the cards of all classifiers of the 200 classes say."""
    categories = material.categories
    return Facts(
        title=title,
        task="classification",
        function=function,
        kwargs={"num_classes": len(categories)},
        classes=[c.name for c in categories],
        preprocessing=preprocessing(side),
        example=(1, 3, side, side),
        measured_on="{} held-out photos",
        default_layer=default_layer,
        extra={"wnids": [c.wnid for c in categories], "class_tree": "classes/tiny-imagenet.json"},
        eight_bit=True,
    )


def preprocessing(side: int) -> dict[str, Any]:
    """Of all networks for whole photos: short side and center crop of `side` pixels."""
    return {
        "resize": side,
        "crop": side,
        "mean": list(MEAN),
        "std": list(STD),
        "interpolation": "bilinear",
        "batched": True,
    }


def measure(_name: str, model: nn.Module, material: Material) -> dict[str, Any]:
    """See `lessons`."""
    return rounded(accuracy(model, material.val, side=SIDE))


def beside(material: Material, folder: Path) -> None:
    """See `lessons`: the way of every class through the WordNet tree."""
    write_categories(material.categories, beside_file(folder))


def beside_file(folder: Path) -> Path:
    """See `lessons`."""
    return folder.parent / "classes" / "tiny-imagenet.json"
