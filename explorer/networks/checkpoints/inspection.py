"""What is in a file of weights, and which networks it may be of, before any is built."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.listing import quantity
from explorer.core.network_info import file_and_part
from explorer.networks.checkpoints import fitting, reading
from explorer.networks.checkpoints.alignment import is_counter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from explorer.networks.checkpoints.planning import Plan
    from explorer.networks.definition import Definition

LEAST = 0.3
"""Of the tensors: with fewer that agree an architecture is not worth naming."""

MOST = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """An architecture that the file may be of.

    Attributes:
        name: In the catalog.
        title: For people.
        share: Of the tensors that agree, in [0, 1].
        classes: The class count that the file has for it.
        missing: Its tensors that the file lacks: it cannot be used where these are no end of it.
        unknown: Tensors of the file that it does not have.
        other: Sentences about tensors of another shape or type.
    """

    name: str
    title: str
    share: float
    classes: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    other: tuple[str, ...]

    @classmethod
    def of(cls, definition: Definition, plan: Plan) -> Candidate:
        match, entry = plan.match, definition.entry
        return cls(
            entry.name, entry.title, match.share, plan.classes, match.missing, match.unknown,
            match.shapes,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in a file.

    Attributes:
        name: Of the file.
        bytes: Of the file.
        tensors: Number of tensors, counters not counted.
        numbers: How many they hold.
        groups: First parts of the tensors' names and how many begin so, in the file's order.
        classes: Names of the classes; () where the file lists none.
        architecture: What the file calls its architecture; "" where it does not.
        parts: Where its networks stand, if it has several; the first is read.
        not_finite: Names of tensors with NaN or infinity.
        candidates: The architectures that it fits best.
        notes: Sentences.
    """

    name: str
    bytes: int
    tensors: int
    numbers: int
    groups: tuple[tuple[str, int], ...]
    classes: tuple[str, ...]
    architecture: str
    parts: tuple[str, ...]
    not_finite: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """It fits a network of the catalog."""
        return bool(self.candidates)

    @property
    def names(self) -> tuple[str, ...]:
        """The networks of the catalog that it fits, the best first."""
        return tuple(candidate.name for candidate in self.candidates)

    def text(self) -> str:
        """`lines`, one below the other."""
        return "\n".join(f"{head}: {words}" for head, words in self.lines())

    def lines(self) -> tuple[tuple[str, str], ...]:
        """A heading and words for each fact, for a table or a card."""
        found = [
            ("File", f"{self.name}, {size_words(self.bytes)}"),
            ("Tensors", f"{self.tensors:,} with {self.numbers:,} numbers"),
            ("Names begin", listed_up_to([f"{word} ({count})" for word, count in self.groups], 8)),
        ]
        if self.architecture:
            found.append(("Calls itself", self.architecture))
        if self.parts:
            found.append(("Networks in it", listed_up_to(self.parts, 6)))
        classes = "none listed"
        if self.classes:
            count = quantity(len(self.classes), "class", "classes")
            classes = f"{count}: {listed_up_to(self.classes, 5)}"
        found.append(("Class names", classes))
        if self.not_finite:
            found.append(("NaN or infinity", listed_up_to(self.not_finite, 3)))
        for candidate in self.candidates:
            found.append(("Looks like", candidate_words(candidate)))
        if not self.candidates:
            found.append(("Looks like", "no network of the catalog"))
        else:
            found.append(("Would be random", _random(self.candidates[0])))
        found += [("Note", note) for note in self.notes]
        return tuple(found)


def _random(candidate: Candidate) -> str:
    """Which weights of the likely architecture the file lacks."""
    if not candidate.missing:
        return "nothing"
    count = quantity(len(candidate.missing), "tensor")
    names = listed_up_to(candidate.missing, 4)
    return f"{count} of {candidate.title}, so the file is not used as it is: {names}"


def candidate_words(candidate: Candidate) -> str:
    """As in: "ResNet-50 (resnet50): 100% of the tensors agree, 10 classes"."""
    words = f"{candidate.title} ({candidate.name}): {fitting.percent(candidate.share)} of the "
    words += f"tensors agree, {quantity(candidate.classes, 'class', 'classes')}"
    for what, names in (
        ("missing", candidate.missing), ("unknown", candidate.unknown),
        ("of another shape or type", candidate.other),
    ):  # fmt: skip
        if names:
            words += f"; {len(names)} {what} ({listed_up_to(names, 2)})"
    return words


def inspect(
    path: Path, definitions: Iterable[Definition], named: Iterable[Definition] = ()
) -> Inspection:
    """Reads a file and compares it with the catalog; builds and runs nothing.

    Args:
        path: Of a .pth, .pt, .ckpt or .safetensors file, or ``FILE#PART``.
        definitions: The networks it is compared with.
        named: Further ones, which are compared only if the file calls itself so.

    Raises:
        ExplorerError: As `reading.read`.
    """
    checkpoint = reading.read(path)
    word = checkpoint.architecture.partition(".")[0]
    every = [*definitions, *(d for d in named if word and d.entry.name.endswith(f".{word}"))]
    fits = fitting.compared(checkpoint, every, least=LEAST)
    fits.sort(key=lambda fit: -fit[1].match.share)
    best = [fit for fit in fits if fit[1].match.share >= 0.5 * fits[0][1].match.share][:MOST]
    tensors = {name: value for name, value in checkpoint.tensors.items() if not is_counter(name)}
    return Inspection(
        name=checkpoint.name,
        bytes=os.path.getsize(file_and_part(path)[0]),
        tensors=len(tensors),
        numbers=sum(value.numel() for value in tensors.values()),
        groups=tuple(Counter(name.split(".")[0] for name in tensors).items()),
        classes=checkpoint.classes,
        architecture=checkpoint.architecture,
        parts=checkpoint.parts,
        not_finite=reading.not_finite(tensors),
        candidates=tuple(Candidate.of(*fit) for fit in best),
        notes=checkpoint.notes,
    )


def size_words(count: int) -> str:
    """As in: 12.8 MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def listed_up_to(words: Sequence[str], most: int) -> str:
    """The first ones, and how many more there are."""
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown}, … {len(words) - most} more"
