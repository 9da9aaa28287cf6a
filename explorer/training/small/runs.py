"""Runs that are kept: each is a folder that another person can open, with two small files.

run.json says what was done and how it went; state-N.safetensors holds the weights, the memory of
the optimizer and the moments of its history, all of step N. run.json is written last and names the
other file, so a run is always whole.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from explorer.core.errors import ExplorerError
from explorer.core.reading import read_file
from explorer.core.settings import data_folder
from explorer.core.storage.atomic import unwritable, write_bytes
from explorer.training.small.recipe import Recipe
from explorer.training.small.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Settings)

FORMAT = 1
CARD = "run.json"
MOST_CARD_BYTES, MOST_STATE_BYTES = 2**24, 2**30
_STATE = re.compile(r"state-\d{1,9}\.safetensors")


@dataclass(frozen=True, slots=True)
class Changed:
    """Settings that were changed during a run."""

    step: int
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Run(Generic[S]):
    """What run.json says.

    Attributes:
        name: Of its folder.
        recipe: The settings of the next step.
        seed: Of the run.
        data: Name of the data set.
        digest: Of its pixels.
        classes: By label.
        step: How many are done.
        changes: In their order.
        curve: (step, loss, quality) as measured, such as the validation loss and accuracy.
        ended: Why it cannot go on; "" = it can.
        written: UTC, as ISO 8601 has it.
        threads: That torch used; with another number the last bits may differ.
    """

    name: str
    recipe: S
    seed: int
    data: str
    digest: str
    classes: tuple[str, ...]
    step: int
    changes: tuple[Changed, ...] = ()
    curve: tuple[tuple[float, float, float], ...] = ()
    ended: str = ""
    written: str = ""
    threads: int = 0

    @property
    def accuracy(self) -> float:
        """The last quality."""
        return self.curve[-1][2] if self.curve else 0.0

    def fits(self, recipe: S, seed: int, digest: str) -> bool:
        """Whether it is a run with these settings, so that it can go on with them."""
        same = {**self.recipe.plain(), "steps": 0} == {**recipe.plain(), "steps": 0}
        return same and self.seed == seed and self.digest == digest


@dataclass(frozen=True, slots=True)
class Shelf(Generic[S]):
    """The runs of one kind of training, in a folder of their own.

    Attributes:
        kind: Of their settings.
        name: Of the folder, inside the program's data folder.
    """

    kind: type[S]
    name: str

    def folder(self) -> Path:
        """Where they are."""
        return data_folder() / self.name

    def new_name(self, now: datetime | None = None) -> str:
        """By the time of its start, with a number where there are several in a second."""
        base = (now or datetime.now(UTC)).strftime("%Y-%m-%d-%H%M%S")
        name, number = base, 1
        while (self.folder() / name).exists():
            number += 1
            name = f"{base}-{number}"
        return name

    def write(self, run: Run[S], tensors: Mapping[str, Tensor], *, most: int = 0) -> None:
        """Replaces what is kept of the run.

        Args:
            run: Its card.
            tensors: Its state.
            most: Runs that stay; older ones are deleted. 0 = all.

        Raises:
            ExplorerError: With the system's own words, when it cannot be written.
        """
        place = self.folder() / run.name
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(place, error) from error
        state = f"state-{run.step:06d}.safetensors"
        data = save({name: value.contiguous() for name, value in tensors.items()})
        write_bytes(place / state, data)
        card = {
            "format": FORMAT, "state": state, "recipe": run.recipe.plain(), "seed": run.seed,
            "data": run.data, "digest": run.digest, "classes": list(run.classes),
            "step": run.step, "changes": [[each.step, each.words] for each in run.changes],
            "curve": [list(point) for point in run.curve], "ended": run.ended,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "threads": torch.get_num_threads(),
        }  # fmt: skip
        write_bytes(place / CARD, json.dumps(card, indent=1, allow_nan=False).encode())
        for old in place.glob("state-*.safetensors"):
            if old.name != state:
                old.unlink(missing_ok=True)
        if most:
            for each in self.listed()[most:]:
                self.remove(each.name)

    def fork(self, run: Run[S]) -> Run[S]:
        """A copy of a kept run that goes on by itself; the run stays as it is.

        Raises:
            ExplorerError: It cannot be read or written.
        """
        words = f"forked from {run.name}"
        copy = replace(run, name=self.new_name(), changes=(*run.changes, Changed(run.step, words)))
        self.write(copy, tensors(self.folder() / run.name))
        return copy

    def read(self, place: Path) -> Run[S]:
        """The run in a folder.

        Raises:
            ExplorerError: There is none, or it cannot be read.
        """
        return _parsed(place, _card(place), self.kind)

    def listed(self) -> list[Run[S]]:
        """Every kept run, the newest first; one that cannot be read is skipped and logged."""
        found = []
        for place in sorted(self.folder().glob(f"*/{CARD}"), reverse=True):
            try:
                found.append(self.read(place.parent))
            except ExplorerError as error:
                log.warning("%s", error)
        return found

    def of_data(
        self, recipe: S, seed: int, digest: str
    ) -> tuple[Run[S] | None, tuple[Run[S], ...]]:
        """The newest run on these data that has these settings, and the others on them."""
        kept = [run for run in self.listed() if run.digest == digest]
        found = next((run for run in kept if run.fits(recipe, seed, digest)), None)
        return found, tuple(run for run in kept if run is not found)

    def fitting(self, recipe: S, seed: int) -> list[Run[S]]:
        """The runs with these settings, whatever their data, the newest first."""
        return [run for run in self.listed() if run.fits(recipe, seed, run.digest)]

    def forget(self, recipe: S, seed: int) -> None:
        """Removes the runs with these settings.

        Raises:
            ExplorerError: There is none, or it cannot be removed.
        """
        found = self.fitting(recipe, seed)
        if not found:
            raise ExplorerError(
                "No run with these settings is kept.", "It starts over when a setting is changed."
            )
        for run in found:
            self.remove(run.name)

    def remove(self, name: str) -> None:
        """Forgets a run; the card goes first, so that nothing half is left.

        Raises:
            ExplorerError: It cannot be removed.
        """
        place = self.folder() / name
        try:
            (place / CARD).unlink(missing_ok=True)
            shutil.rmtree(place, ignore_errors=True)
        except OSError as error:
            raise unwritable(place, error) from error


RUNS = Shelf(Recipe, "runs")
"""Those of small classifiers."""


def tensors(place: Path) -> dict[str, Tensor]:
    """The tensors of the run in a folder: weights, optimizer, moments.

    Raises:
        ExplorerError: They cannot be read.
    """
    name = str(_card(place).get("state", ""))
    if not _STATE.fullmatch(name):
        raise _damaged(place)
    data = read_file(
        place / name, limit=MOST_STATE_BYTES, kind="the weights of a run", smaller="Choose another."
    )
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise _damaged(place) from error


def _card(place: Path) -> dict[str, Any]:
    if not (place / CARD).is_file():
        raise ExplorerError(
            f"There is no run in {place}.", f"Choose a folder with a file {CARD} in it."
        )
    data = read_file(place / CARD, limit=MOST_CARD_BYTES, kind="a run", smaller="Choose another.")
    try:
        card = json.loads(data)
    except ValueError as error:
        raise _damaged(place) from error
    if not isinstance(card, dict):
        raise _damaged(place)
    if card.get("format") != FORMAT:
        raise ExplorerError(
            f"The run in {place} is of another version.", "Open it with the version that wrote it."
        )
    return card


def _parsed(place: Path, card: Mapping[str, Any], kind: type[S]) -> Run[S]:
    try:
        return Run(
            place.name, kind.of(card["recipe"]), int(card["seed"]), str(card["data"]),
            str(card["digest"]), tuple(map(str, card["classes"])), int(card["step"]),
            tuple(Changed(int(step), str(words)) for step, words in card["changes"]),
            tuple((float(a), float(b), float(c)) for a, b, c in card["curve"]),
            str(card["ended"]), str(card["written"]), int(card["threads"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(place) from error


def _damaged(place: Path) -> ExplorerError:
    return ExplorerError(f"The run in {place} is damaged.", "Delete its folder, or copy it again.")
