"""What may be known of a network without touching it: immutable plain data, free of torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity, renamed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Task = Literal["classification", "localization", "detection", "segmentation", "pose", "features"]
"""`localization` names the photo and gives one box (as in ILSVRC); `detection` includes instance
masks and keypoints; `pose` gives the joints of the one person that a crop shows; `features` is a
backbone without a head.
"""

GIVEN = "given"
"""The weights of a module that was given, instead of a name or a file."""
SCORE_THRESHOLD = 0.5
"""Of detections, where a network's card names no other."""

_OLD_TASKS = {"localisation": "localization"}
"""Words of earlier versions, still understood in this one."""


def task_of(word: str) -> Task:
    """The task called `word`, in a card or by a script.

    Raises:
        ExplorerError: When there is none; the sentence names those there are.
    """
    word = renamed(word, _OLD_TASKS)
    if word not in get_args(Task):
        raise ExplorerError(
            f"There is no task {word!r}.", f"Choose among: {', '.join(get_args(Task))}."
        )
    return cast("Task", word)


WeightState = Literal["shipped", "cached", "download", "missing", "local", "untrained"]


def untrained_note(title: str) -> str:
    """The sentence for a network called `title` that has random weights."""
    return f"UNTRAINED: {title} has random weights; its results are meaningless."


CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors", ".th", ".bin")
"""Usual names of files with weights; any other name will do as well."""


ONNX_SUFFIX = ".onnx"
ASSUMED = "usual ones are assumed."
"""How the note ends about what an ONNX file does not say."""


def is_onnx(path: str | Path) -> bool:
    """By its name: what the command line, a script or a drop calls a network."""
    return str(path).lower().endswith(ONNX_SUFFIX)


FOLDER_CONFIG, FOLDER_WEIGHTS = "config.json", ".safetensors"
"""What a folder has that is a network: a file of this name, and some that end so."""


def is_network_folder(path: str | os.PathLike[str]) -> bool:
    """By its files: a network as the Hugging Face Hub has it."""
    try:
        names = os.listdir(path) if os.path.isfile(os.path.join(path, FOLDER_CONFIG)) else []
    except (OSError, ValueError):
        return False
    return any(name.endswith(FOLDER_WEIGHTS) for name in names)


def file_and_part(path: Path) -> tuple[Path, str]:
    """The file, and the part of it that is meant: "w.pth#teacher" is the part "teacher"."""
    name, sign, part = path.name.rpartition("#")
    if not sign or not name or os.path.exists(path):
        return path, ""
    return path.with_name(name), part


def unnamed_note(count: int) -> str:
    """The sentence about classes without names."""
    return f"The file has {quantity(count, 'class', 'classes')} without names."


def other_networks(file: str, parts: Sequence[str]) -> str:
    """The sentence about the networks of a file that were not taken."""
    return f"{file} also contains {' and '.join(parts)}: {file}#{parts[0]} selects that network."


def unknown() -> str:
    """The digest of a network whose weights were not hashed."""
    return ""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Which network to use: plain data that a session file, a menu and the command line can hold.

    Attributes:
        name: The catalog's name.
        weights: "" = the best available without a download; the name of one of the entry's
            weights; "none" = random weights (drawn as UNTRAINED); or the path of a checkpoint.
        device: "auto", "cpu", "cuda", "cuda:1", "mps" …
        half: Half precision (bf16 on a CPU, fp16 elsewhere) where the network's operations have it.
        classes: The path of a list of class names, for a checkpoint that has none or wrong ones.
    """

    name: str
    weights: str = ""
    device: str = "auto"
    half: bool = False
    classes: str = ""


MASK_HEAD = "roi_heads.mask_head"
"""The layers of Mask R-CNN that make masks of the crops of boxes."""

KEYPOINT_HEAD = "roi_heads.keypoint_head"
"""The layers of Keypoint R-CNN that make heat maps of the crops of boxes."""


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """One named module: `name` is its dotted path, `kind` its class, `leaf` = has no children."""

    name: str
    kind: str
    depth: int
    leaf: bool
    parameters: int


@dataclass(frozen=True, slots=True, eq=False)
class NetworkInfo:
    """What the window has of a loaded network without touching it: immutable plain data.

    Attributes:
        spec: What was asked for.
        title: For people.
        task: Its task.
        classes: Names by index (a detector's index 0 is the background); empty when unknown.
        layers: All named modules in definition order, the root left out.
        state: Where the weights come from.
        weights_title: For people: "Tiny ImageNet, 200 classes" or "IMAGENET1K_V2" or a file name.
        device: The device it really is on.
        dtype: "float32", "bfloat16", "float16".
        parameters: Number of weights.
        input_title: For people: "RGB, short side 256, center 224 x 224, normalized".
        class_paths: For every class the words from the root of a class tree to it; else empty.
        notes: Sentences the user should see ("3 of 122 tensors of the file were not used: …").
        default_layer: The layer shown first.
        keypoints: Names of the joints that a detector finds, in its order; else empty.
        score_threshold: The score from which a detection counts by default.
        digester: What works out `digest`.
        others: What `spec.weights` would be for the other networks in the same file: FILE#PART.
        unnamed: How many classes there are when their names are not known.
        renamed: The classes have the names of a list that was given, which is no file.
    """

    spec: NetworkSpec
    title: str
    task: Task
    classes: tuple[str, ...]
    layers: tuple[LayerInfo, ...]
    state: WeightState
    weights_title: str
    device: str
    dtype: str
    parameters: int
    input_title: str
    class_paths: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    default_layer: str = ""
    keypoints: tuple[str, ...] = ()
    score_threshold: float = SCORE_THRESHOLD
    digester: Callable[[], str] = unknown
    others: tuple[str, ...] = ()
    unnamed: int = 0
    renamed: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the weights, the key of what is worth keeping on disk; "" = not known.

        The first call may read every weight: make it on the runner's thread.
        """
        return self.digester()

    @property
    def has_masks(self) -> bool:
        """Whether it has the mask branch of Mask R-CNN, by torchvision's name of the layer."""
        return any(layer.name == MASK_HEAD for layer in self.layers)

    @property
    def untrained(self) -> bool:
        return self.state == "untrained"

    @property
    def untrained_note(self) -> str:
        """The note on random weights."""
        return untrained_note(self.title)

    def layer_names(self, *kinds: str) -> tuple[str, ...]:
        """Names of the layers whose class name is among `kinds` (all when none is given)."""
        return tuple(layer.name for layer in self.layers if not kinds or layer.kind in kinds)
