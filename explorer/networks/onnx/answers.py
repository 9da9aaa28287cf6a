"""What the user is asked about an ONNX file, with what is usual filled in, and what is answered.

All of it is plain data, so that a window can show and change it without torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.networks.checkpoints.loading import chosen_names, fitting_names, wrong_count
from explorer.networks.entry import classes_in
from explorer.networks.onnx import decoders, inspecting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from explorer.core.network_info import Task
    from explorer.networks.onnx.cards import Card
    from explorer.networks.preprocess import Preprocess

KEPT = "kept"
"""The steps as they are, where none of the words below says them."""

FITS = ("stretch", "crop", "tight", "center", "corner", "short", "whole")
"""How a photo becomes the input: stretched; the short side resized to 256/224 of the size, or to
the size, and the center cropped; letterboxed with gray on both sides, or at the right and below;
its short side resized; as it is.
"""

SQUARE, OPEN = ("crop", "tight", "short"), ("short", "whole")
"""Those with one size for both sides; those whose input has the photo's shape."""

LONGEST = 1333
"""Pixels of the long side where the input has the photo's shape."""

CROP_SHARE = 256 / 224

SCALES: dict[str, tuple[float, float] | tuple[tuple[float, ...], tuple[float, ...]] | None] = {
    "unit": None,
    "bytes": (0.0, 1 / 255),
    "imagenet": (inspecting.MEAN, inspecting.STD),
    "half": (0.5, 0.5),
    "caffe": ((123 / 255, 117 / 255, 104 / 255), (1 / 255,) * 3),
}
"""Mean and standard deviation for values in [0, 1], by their word; None = values stay in [0, 1]."""

MASKED = ("yolov5", "yolov8", "yolox")
"""Forms whose outputs may go on with numbers of masks after those of the classes."""


@dataclass(frozen=True, slots=True)
class Names:
    """Class names by index, the background left out, and where they come from."""

    source: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """One way in which the outputs of a file can be used.

    Attributes:
        task: The task.
        form: Of a detector's outputs, see `decoders.Form`; "" for other tasks.
        reason: What the outputs look like, in a sentence.
        classes: How many they have, the background included; 0 = they do not tell.
        names: Lists of names that fit, the best first.
    """

    task: Task
    form: str
    reason: str
    classes: int
    names: tuple[Names, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """What is said about a file.

    Attributes:
        task: Its task.
        form: Of a detector's outputs; "" for other tasks.
        names: Class names by index, the background left out; () = numbers are shown.
        height: Of its input.
        width: Of its input.
        fit: One of `FITS`, or `KEPT`.
        scale: One of `SCALES`, "own" with `mean` and `std`.
        mean: For values in [0, 1], by channel.
        std: The same.
        order: "RGB" or "BGR".
        layout: "NCHW" or "NHWC".
    """

    task: Task
    form: str
    names: tuple[str, ...]
    height: int
    width: int
    fit: str
    scale: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: str
    layout: str


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked about a file.

    Attributes:
        path: The file.
        facts: What is in it, in a line.
        remark: What is wrong with the class names that came with the file; "" = nothing.
        unclear: What nothing in the file says, in the words of `Card.assumed`; () = all is clear.
        uses: What its outputs can be used for, the likely one first.
        fixed: Height and width that its input must have; 0 = any.
        channels: Of its input.
        layout_known: The shape of its input tells the order of its axes.
        before: The preprocessing that `KEPT` means.
        answers: What is proposed, or was answered the last time.
    """

    path: str
    facts: str
    remark: str
    unclear: tuple[str, ...]
    uses: tuple[Use, ...]
    fixed: tuple[int, int]
    channels: int
    layout_known: bool
    before: Preprocess
    answers: Answers


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The input that a photo becomes.

    Attributes:
        picture: (H, W, 3) uint8, RGB, without the normalization.
        shape: Of the tensor, in the order of the file's axes.
        low: The smallest of its values.
        high: The largest.
    """

    picture: NDArray[np.uint8]
    shape: tuple[int, ...]
    low: float
    high: float


def questions(card: Card) -> Questions:
    """What is to be asked about the file of a card."""
    steps = card.preprocess
    height, width = size_of(card)
    fixed, known = _input(card)
    uses = _uses(card, (height, width))
    names = _bare(card.classes, card.task)
    proposed = Answers(
        task=card.task,
        form=card.decoding.form if card.decoding is not None else "",
        names=names,
        height=height,
        width=width,
        fit=fit_of(card),
        scale=_scale_of(steps),
        mean=steps.mean or (0.0,) * steps.channels,
        std=steps.std or (1.0,) * steps.channels,
        order=card.channel_order,
        layout=card.layout,
    )
    return Questions(
        card.path,
        _facts(card),
        labels_remark(card),
        card.unclear,
        uses,
        fixed,
        steps.channels,
        known,
        steps,
        proposed,
    )


def applied(card: Card, said: Answers) -> Card:
    """The card with what the user says; nothing of it is assumed any more.

    Raises:
        ExplorerError: The names are not as many as the classes.
    """
    decoding = card.decoding
    if said.task != "detection":
        decoding = None
    elif decoding is None or decoding.form != said.form:
        form = next((form for form in decoders.FORMS if form == said.form), None)
        decoding = inspecting.decoding_for(form, card.output_names, card.shapes, len(card.labels))
    more = len(said.names)
    if decoding is not None and decoding.form in MASKED and len(card.shapes) > 1 and more:
        decoding = replace(decoding, classes=more)
    count = inspecting.class_count(said.task, card.shapes, decoding)
    return card.changed(
        task=said.task,
        decoding=decoding,
        classes=_named(said.names, count, said.task),
        preprocess=steps_of(said, card.preprocess),
        channel_order=said.order,
        layout=said.layout,
        answered=True,
    )


def labels_remark(card: Card) -> str:
    """Names that came with the file and are not as many as its classes; "" where all is well."""
    count = inspecting.class_count(card.task, card.shapes, card.decoding)
    fits = inspecting.fitting_classes(card.labels, count, card.task)
    if not card.labels or fits or not count or card.answered:
        return ""
    source = card.labels_from.capitalize() if card.labels_from == "the file" else card.labels_from
    return wrong_count(source, len(card.labels), count, card.task).message


def listed_names(path: Path, use: Use) -> Names:
    """The names in a list that the user chose.

    Raises:
        ExplorerError: It cannot be read, or has another number of names than there are classes.
    """
    from explorer.networks.checkpoints.class_lists import names_in

    names = chosen_names(path, use.classes, use.task) if use.classes else names_in(path)
    return Names(path.name, _bare(names, use.task))


def steps_of(said: Answers, before: Preprocess) -> Preprocess:
    """The preprocessing that the answers mean; what they do not speak of is as before."""
    steps = sized(before, (said.height, said.width), said.fit)
    mean, std = said.mean, said.std
    if said.scale in SCALES:
        mean, std = _scale(said.scale, before.channels)
        if said.scale == "unit":
            return replace(steps, mean=None, std=None)
    return replace(steps, mean=mean, std=std)


def sized(before: Preprocess, size: tuple[int, int], fit: str) -> Preprocess:
    """The steps with another size and another way to it.

    Args:
        before: The steps.
        size: Height and width.
        fit: One of `FITS`, or `KEPT`.

    Raises:
        ExplorerError: The size has to be square.
    """
    height, width = size
    if fit == KEPT:
        return before
    if fit in SQUARE and height != width:
        raise ExplorerError(
            f"A center crop of {width} x {height} is not possible: it is square.",
            "Choose a square size, or stretch the photo.",
        )
    plain = replace(before, crop=None, letterbox="", longest=0)
    match fit:
        case "crop" | "tight":
            resize = round(height * CROP_SHARE) if fit == "crop" else height
            return replace(plain, resize=resize, crop=height)
        case "center" | "corner":
            return replace(plain, resize=size, letterbox=fit)
        case "short":
            return replace(plain, resize=height, longest=before.longest or LONGEST)
        case "whole":
            return replace(plain, resize=None, longest=before.longest or LONGEST)
        case _:
            return replace(plain, resize=size)


def prepared(said: Answers, before: Preprocess, pixels: NDArray[np.uint8]) -> Prepared:
    """What a photo becomes with these answers.

    Args:
        said: The answers.
        before: What `KEPT` means.
        pixels: (H, W, 3) uint8, RGB.
    """
    steps = steps_of(said, before)
    values = steps(pixels)
    _, channels, height, width = values.shape
    shape = (1, height, width, channels) if said.layout == "NHWC" else tuple(values.shape)
    plain = replace(steps, mean=None, std=None)
    return Prepared(plain.picture(plain(pixels)), shape, float(values.min()), float(values.max()))


def shape_words(shape: Sequence[int]) -> str:
    """As in: 1 x 84 x 8400; a size that is open is a question mark."""
    return " x ".join(str(size or "?") for size in shape)


# -- what is proposed -----------------------------------------------------------------------------


def size_of(card: Card) -> tuple[int, int]:
    """Height and width that the steps lead to; where those have the photo's shape, usual ones."""
    steps = card.preprocess
    if isinstance(steps.resize, tuple):
        return steps.resize
    side = steps.crop or steps.resize
    if side is not None:
        return side, side
    (height, width), _ = _input(card)
    return height or 640, width or 640


def _input(card: Card) -> tuple[tuple[int, int], bool]:
    """Height and width of the file's own input (0 = any), and whether its layout is told."""
    shape = card.input_shape
    if len(shape) not in (3, 4):
        return (0, 0), False
    inner = shape[-3:]
    height, width = inner[:2] if card.layout == "NHWC" else inner[1:]
    told = (inner[0] in (1, 3)) != (inner[2] in (1, 3))
    return (height, width), told


def fit_of(card: Card) -> str:
    """The word for the steps of a card."""
    steps, size = card.preprocess, size_of(card)
    fits = FITS if size[0] == size[1] else tuple(fit for fit in FITS if fit not in SQUARE)
    return next((fit for fit in fits if sized(steps, size, fit) == steps), KEPT)


def _scale_of(steps: Preprocess) -> str:
    if steps.mean is None or steps.std is None:
        return "unit"
    same = (word for word in SCALES if word != "unit" and _scale(word, steps.channels)
            == (steps.mean, steps.std))  # fmt: skip
    return next(same, "own")


def _scale(word: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel."""
    found = SCALES[word]
    if found is None:
        return (0.0,) * channels, (1.0,) * channels
    mean, std = ((value,) * channels if isinstance(value, float) else value for value in found)
    if channels == 1 and len(mean) > 1:
        return (sum(mean) / len(mean),), (sum(std) / len(std),)
    return mean, std


def _bare(names: Sequence[str], task: Task) -> tuple[str, ...]:
    """Without the background, where that is what index 0 is."""
    first = bool(names) and not classes_in(names[:1]) and names[0] != "N/A"
    return tuple(names[1:] if first and task in ("detection", "segmentation") else names)


def _named(names: tuple[str, ...], count: int, task: Task) -> tuple[str, ...]:
    """Names by index for the network, with a background where there is one."""
    if not names or task == "features":
        return ()
    if not count:
        return inspecting.fitting_classes(names, 0, task) or names
    found = fitting_names(names, count, task)
    if not found:
        raise wrong_count("The list of classes", len(names), count, task)
    return found


def _facts(card: Card) -> str:
    parts = [f"Input {shape_words(card.input_shape)}"] if card.input_shape else []
    parts.append(f"{card.parameters / 1e6:.1f} M parameters")
    runs = f"ONNX Runtime, without gradients ({card.why})" if not card.in_torch else "PyTorch"
    return " · ".join([*parts, f"runs in {runs}"])


# -- what the outputs can be used for -------------------------------------------------------------


def _uses(card: Card, size: tuple[int, int]) -> tuple[Use, ...]:
    """The present one first; then all that the outputs allow."""
    present = card.decoding.form if card.decoding is not None else ""
    tried = next((s for s in (_input(card)[0], size) if all(s)), size)
    found = [(card.task, present)]
    found += [("detection", form) for form in decoders.FORMS if _gives_boxes(card, form, tried)]
    ranks = {len(shape) for shape in card.shapes}
    found += [("classification", "")] if ranks & {2, 4} else []
    found += [("segmentation", "")] if 4 in ranks else []
    found.append(("features", ""))
    return tuple(_use(card, task, form) for task, form in dict.fromkeys(found))


def _gives_boxes(card: Card, form: decoders.Form, size: tuple[int, int]) -> bool:
    """Whether the decoder of that form takes outputs of these sizes."""
    shapes = card.shapes
    first = shapes[0] if shapes else ()
    alone = {
        "yolov5": len(first) == 3 and first[1] > first[2] > 5,
        "yolov8": len(first) == 3 and first[2] > first[1] > 4,
        "yolox": len(first) == 3 and first[1] > first[2] > 5,
        "end-to-end": len(first) == 3 and first[2] == 6,
    }
    if not alone.get(form, True):
        return False
    names = card.output_names
    decoding = inspecting.decoding_for(form, names, shapes)
    outputs = tuple(torch.zeros(shape[1:] if len(shape) > 1 else shape) for shape in shapes)
    if form == "boxes" and not any(len(shape) == 3 for shape in shapes):
        outputs = tuple(torch.zeros(shape) for shape in shapes)
    try:
        assert decoding is not None
        decoders.candidates(outputs, decoding, size, names)
    except (ExplorerError, IndexError, RuntimeError):
        return False
    return True


def _use(card: Card, task: Task, form: str) -> Use:
    word: Any = form or None
    decoding = card.decoding
    if decoding is None or decoding.form != form:
        decoding = inspecting.decoding_for(word, card.output_names, card.shapes, len(card.labels))
    count = inspecting.class_count(task, card.shapes, decoding if task == "detection" else None)
    lists = [Names(card.labels_from, card.labels)] if card.labels else []
    published = inspecting.published_classes(count, task)
    lists += [Names(inspecting.DATA_SETS.get(count, ""), published)] if published else []
    bare = [Names(one.source, _bare(one.names, task)) for one in lists]
    fitting = [one for one in bare if inspecting.fitting_classes(one.names, count, task)]
    present = Names("", _bare(card.classes, card.task))
    if task == card.task and card.classes and present.names not in [one.names for one in fitting]:
        fitting.insert(0, present)
    return Use(task, form, _reason(card, task, form, count), count, tuple(fitting))


_STYLES = {
    "yolov5": "YOLOv5-style", "yolov8": "YOLOv8-style", "yolox": "YOLOX-style",
    "end-to-end": "YOLOv10-style, final boxes", "ssd": "SSD-style, boxes and class scores",
    "boxes": "final boxes, scores and labels", "detr": "DETR-style, boxes and logits",
}  # fmt: skip


def _reason(card: Card, task: Task, form: str, count: int) -> str:
    """As in: Output 1 x 84 x 8400: YOLOv8-style, 80 classes."""
    ranks = {"classification": (2, 4), "segmentation": (4,)}.get(task)
    shapes = [one for one in card.shapes if ranks is None or len(one) in ranks] or card.shapes
    shown = shapes[:3] if task == "detection" else shapes[:1]
    head = "outputs" if len(shown) > 1 else "output"
    more = f" and {len(shapes) - len(shown)} more" if task == "detection" and shapes[3:] else ""
    head = f"{head} {', '.join(map(shape_words, shown))}{more}"
    classes = quantity(count - 1 if task == "detection" else count, "class", "classes")
    words = {
        "classification": f"a score for each of {classes}",
        "segmentation": f"a score for each of {classes} at each pixel",
        "detection": _STYLES.get(form, form) + (f", {classes}" if count else ""),
    }.get(task, "used as feature maps or vectors, without classes")
    return f"{head[:1].upper()}{head[1:]}: {words}"
