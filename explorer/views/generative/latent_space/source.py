"""The generator: the one that ships, or one out of a kept run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.core.errors import ExplorerError
from explorer.networks.generative import shipped
from explorer.networks.generative.style_gan import StyleGenerator
from explorer.training.adversarial.learner import LATENT, LAYERS, WIDTHS
from explorer.training.adversarial.recipe import GAN_RUNS
from explorer.training.small.runs import tensors

if TYPE_CHECKING:
    from explorer.core.values import FolderRef
    from explorer.engine.scene import Scene

NAME = "mini-gan-faces"
MISSING = (
    "No generator is there yet: train one with GAN training (Samples: pictures), then open this "
    "view again."
)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A generator in eval mode and what it was trained on."""

    generator: StyleGenerator
    words: str


def source_of(scene: Scene, run: FolderRef | None) -> Source | None:
    """What is asked for; None where nothing is, and there is none yet.

    Raises:
        ExplorerError: The run cannot be opened, or made no pictures.
    """
    if run is None and NAME in shipped.names():
        return scene.memo("shipped generator", _shipped)
    place = Path(run.path) if run is not None else _newest()
    if place is None:
        return None
    kept = GAN_RUNS.read(place)
    if not kept.recipe.pictures:
        raise ExplorerError(
            f"The run in {place} made points, not pictures.", "Choose a run with pictures."
        )
    return scene.memo(("run", str(place), kept.step), lambda: _of_run(place, kept.data, kept.step))


def _newest() -> Path | None:
    found = next((run for run in GAN_RUNS.listed() if run.recipe.pictures), None)
    return GAN_RUNS.folder() / found.name if found is not None else None


def _shipped() -> Source:
    loaded = shipped.load(NAME)
    assert isinstance(loaded.module, StyleGenerator)
    return Source(loaded.module, str(loaded.card["title"]))


def _of_run(place: Path, data: str, step: int) -> Source:
    start = "generator.network."
    state = {k.removeprefix(start): v for k, v in tensors(place).items() if k.startswith(start)}
    generator = StyleGenerator(WIDTHS, size=LATENT, layers=LAYERS)
    try:
        generator.load_state_dict(state)
    except RuntimeError as error:
        raise ExplorerError(
            f"The generator in {place} is of another version.", "Train it again."
        ) from error
    words = f"trained on {data}, step {step}"
    return Source(generator.eval().requires_grad_(requires_grad=False), words)
