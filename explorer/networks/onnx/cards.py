"""What is known of an ONNX file beside its graph, kept in the data folder under the file's digest.

A card is written when a file is first opened, from what the file says and from what its outputs
look like; what the user sets afterwards stays with the file, wherever it is moved.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.network_info import task_of
from explorer.core.reading import listed
from explorer.core.settings import data_folder
from explorer.core.storage.atomic import write_bytes
from explorer.core.storage.lock import holding
from explorer.networks.entry import Entry, WeightsOption, classes_in
from explorer.networks.onnx.decoders import Decoding
from explorer.networks.preprocess import Preprocess

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from explorer.core.network_info import Task

log = logging.getLogger(__name__)

FORMAT = 1
FAMILY = "onnx"
MOST_CARD_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Card:
    """How a file is used.

    Attributes:
        name: The catalog's word.
        path: Where the file was last.
        digest: Of the file, see `OnnxFile`.
        task: Its task.
        classes: Names by index (a detector's index 0 is the background).
        preprocess: From a photo to its input, in RGB.
        channel_order: "RGB" or "BGR": what the file wants.
        layout: "NCHW" or "NHWC".
        decoding: Of a detector's outputs; None for other tasks.
        in_torch: The graph runs in torch; else in ONNX Runtime.
        why: The operators for which it does not.
        parameters: Number of weights.
        shapes: Of its outputs for one image of the size that it was tried with.
        assumed: What nothing in the file says: "task", "preprocessing", "class names".
        input_shape: Of its input, as the file declares it; 0 = any size, () = not known.
        output_names: Of its outputs, in their order.
        labels: Class names that came with the file, whatever its task is.
        labels_from: Where: "the file", or the name of a list beside it.
        answered: The user has been asked about what was assumed.
    """

    name: str
    path: str
    digest: str
    task: Task
    classes: tuple[str, ...]
    preprocess: Preprocess
    channel_order: str = "RGB"
    layout: str = "NCHW"
    decoding: Decoding | None = None
    in_torch: bool = True
    why: str = ""
    parameters: int = 0
    shapes: tuple[tuple[int, ...], ...] = ()
    assumed: tuple[str, ...] = ()
    input_shape: tuple[int, ...] = ()
    output_names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    labels_from: str = ""
    answered: bool = False

    def __post_init__(self) -> None:
        task_of(self.task)
        if self.channel_order not in ("RGB", "BGR"):
            raise ExplorerError(
                f"There is no channel order {self.channel_order!r}.", "Choose RGB or BGR."
            )
        if self.layout not in ("NCHW", "NHWC"):
            raise ExplorerError(f"There is no layout {self.layout!r}.", "Choose NCHW or NHWC.")

    def changed(self, **values: Any) -> Card:
        """The card with what the user says; that is then no assumption any more."""
        known = {"task": "task", "preprocess": "preprocessing", "classes": "class names"}
        settled = {known[key] for key in values if key in known}
        assumed = tuple(word for word in self.assumed if word not in settled)
        return replace(self, assumed=assumed, **values)

    @property
    def unclear(self) -> tuple[str, ...]:
        """What the user is to be asked about, in the words of `assumed`."""
        return () if self.answered else self.assumed

    @property
    def key(self) -> str:
        """SHA-256 of all that decides what the network answers, 64 hex digits.

        The weights alone do not: the same file with another preprocessing gives other results.
        """
        decoding = None if self.decoding is None else asdict(self.decoding)
        how = (self.task, asdict(self.preprocess), self.channel_order, self.layout, decoding)
        return hashlib.sha256(f"{self.digest} {json.dumps(how)}".encode()).hexdigest()

    @property
    def entry(self) -> Entry:
        """What the catalog lists."""
        path = Path(self.path)
        size = path.stat().st_size / 1e6 if os.path.isfile(path) else 0.0
        form = f", {self.decoding.form} outputs" if self.decoding is not None else ""
        option = WeightsOption(
            FAMILY, path.name, "cached" if os.path.isfile(path) else "missing",
            megabytes=size, categories=classes_in(self.classes), path=self.path,
        )  # fmt: skip
        return Entry(
            name=self.name,
            title=path.stem,
            task=self.task,
            family="onnx",
            summary=f"ONNX file{form}: {self.preprocess.title()}. {self.path}",
            weights=(option,),
            num_classes=len(self.classes),
            parameters=self.parameters,
        )


def folder() -> Path:
    """Where the cards are."""
    return data_folder() / "onnx"


def of_file(digest: str) -> Card | None:
    """The card of the file with that digest; None when it was never opened."""
    path = folder() / f"{digest[:32]}.json"
    try:
        card = _read(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ExplorerError) as error:
        log.warning("the card %s cannot be read: %s", path, error)
        return None
    return card if card.digest == digest else None


def every() -> tuple[Card, ...]:
    """All cards whose files are there, by name."""
    found = {card.name: card for card in _cards() if os.path.isfile(card.path)}
    return tuple(found[name] for name in sorted(found))


def keep(card: Card, taken: Collection[str]) -> Card:
    """Writes a card and returns it under the name that it got.

    A card of the same place is replaced: the file there has been exported again.

    Raises:
        ExplorerError: It cannot be written.
    """
    with holding(folder() / ".lock"):
        others = [other for other in _cards() if other.digest != card.digest]
        before = [other for other in others if other.path == card.path]
        known = of_file(card.digest)
        name = known.name if known is not None else before[0].name if before else ""
        used = {other.name for other in others if other not in before} | set(taken)
        if not name or name in used:
            name = _free(Path(card.path).stem, used)
        kept = replace(card, name=name)
        text = json.dumps({"format": FORMAT, **asdict(kept)}, indent=1, ensure_ascii=False)
        write_bytes(folder() / f"{card.digest[:32]}.json", text.encode("utf-8"))
        for other in before:
            (folder() / f"{other.digest[:32]}.json").unlink(missing_ok=True)
    return kept


def _cards() -> Iterator[Card]:
    for path in listed(folder(), "*.json"):
        try:
            yield _read(path)
        except (OSError, ValueError, TypeError, KeyError, RecursionError, ExplorerError) as error:
            log.warning("the card %s cannot be read: %s", path, error)


def _read(path: Path) -> Card:
    if path.stat().st_size > MOST_CARD_BYTES:
        raise ValueError("it is too large")
    values = json.loads(path.read_text("utf-8"))
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise ValueError("it is not in the form that this program writes")
    kept: dict[str, Any] = dict(values["preprocess"])
    steps: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in kept.items()}
    values["preprocess"] = Preprocess(**steps)
    if values.get("decoding") is not None:
        values["decoding"] = Decoding(**values["decoding"])
    values["classes"] = tuple(str(word) for word in values["classes"])
    values["shapes"] = tuple(tuple(int(n) for n in shape) for shape in values["shapes"])
    for key in ("assumed", "output_names", "labels"):
        values[key] = tuple(str(word) for word in values.get(key, ()))
    values["input_shape"] = tuple(int(size) for size in values.get("input_shape", ()))
    return Card(**values)


def _free(stem: str, used: Collection[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:60].strip("-") or "network"
    name, number = f"{plain}-onnx", 1
    while name in used:
        number += 1
        name = f"{plain}-onnx-{number}"
    return name
