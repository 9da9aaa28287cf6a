"""What an ONNX file is used as: found from its inputs, its metadata and a trial on a gray image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.listing import quantity
from explorer.networks.checkpoints.class_lists import names_beside
from explorer.networks.onnx import decoders, metadata
from explorer.networks.onnx.cards import Card
from explorer.networks.onnx.decoders import Decoding, Detector
from explorer.networks.onnx.heads import Classifier, Segmenter
from explorer.networks.onnx.module import OnnxModule, first_only, to_torch
from explorer.networks.onnx.operators import NotConvertible
from explorer.networks.onnx.packages import INSTALL, has_runtime, needed
from explorer.networks.onnx.reading import damaged
from explorer.networks.onnx.runtime import RuntimeModule
from explorer.networks.preprocess import Preprocess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.network_info import Task
    from explorer.networks.onnx.reading import OnnxFile

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet: what most published networks were trained with."""

SIDES = (224, 640, 320, 299, 128, 96, 64, 32, 28)
"""Of inputs whose size the file leaves open: they are tried in this order."""

LARGEST_SIDE = 8192
TOLERANCE = 1e-3
"""Of the largest number of an output: if torch differs by more it is not the same network."""

YOLO_SCORE, YOLO_FLOOR = 0.25, 0.05
_NORMALIZING = ("Sub", "Div", "Mul", "Add", "BatchNormalization")
_PASSING = ("Cast", "Transpose", "Identity", "Unsqueeze", "Squeeze")


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The input for the image.

    Attributes:
        name: Of the value.
        layout: "NCHW" or "NHWC".
        batched: Whether it has an axis for the batch.
        batch: Its size; 0 = any.
        channels: 1 or 3.
        height: In pixels; 0 = any.
        width: In pixels; 0 = any.
        bytes: It takes whole numbers from 0 to 255.
        shape: As the file declares it; 0 = any size.
    """

    name: str
    layout: str
    batched: bool
    batch: int
    channels: int
    height: int
    width: int
    bytes: bool
    shape: tuple[int, ...]


def image_input(file: OnnxFile) -> ImageInput:
    """The input for the image.

    Raises:
        ExplorerError: The network takes no image, or something else too.
    """
    kinds = needed("onnx").TensorProto
    graph = file.model.graph
    held = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in held]
    names = ", ".join(value.name for value in inputs[:4])
    shape = inputs[0].type.tensor_type.shape.dim if inputs else ()
    sizes = [int(dim.dim_value) for dim in shape]
    if len(inputs) != 1 or len(sizes) not in (3, 4):
        raise ExplorerError(
            f"{file.name} takes {quantity(len(inputs), 'input')} ({names}), not one image.",
            "Export the network with one image as its only input.",
        )
    kind = inputs[0].type.tensor_type.elem_type
    if kind not in (kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE, kinds.UINT8, kinds.BFLOAT16):
        raise ExplorerError(
            f"{file.name} takes numbers that are no pixels ({names}).", "Choose a vision network."
        )
    batched = len(sizes) == 4
    batch, *rest = sizes if batched else [1, *sizes]
    last = rest[2] in (1, 3) and rest[0] not in (1, 3)
    channels, height, width = (rest[2], rest[0], rest[1]) if last else rest
    channels = channels or _channels_of_first(file)
    if channels not in (1, 3):
        raise ExplorerError(
            f"{file.name} takes {channels} channels; a photo has three.",
            "Choose a network for RGB or gray images.",
        )
    if max(height, width) > LARGEST_SIDE:
        raise ExplorerError(
            f"{file.name} takes images of {width} x {height} pixels.",
            f"The limit is {LARGEST_SIDE} pixels a side.",
        )
    return ImageInput(
        inputs[0].name, "NHWC" if last else "NCHW", batched, batch, channels, height, width,
        kind == kinds.UINT8, tuple(sizes),
    )  # fmt: skip


def _channels_of_first(file: OnnxFile) -> int:
    shapes = {tensor.name: tensor.dims for tensor in file.model.graph.initializer}
    for node in file.model.graph.node:
        if node.op_type == "Conv" and len(node.input) > 1 and node.input[1] in shapes:
            return int(shapes[node.input[1]][1])
    return 3


def built(file: OnnxFile, given: ImageInput, *, in_torch: bool = True) -> OnnxModule:
    """The graph as a module: in torch where it computes the same, else in ONNX Runtime.

    Args:
        file: The model.
        given: Its input.
        in_torch: False = it is known that torch has no form of it.

    Raises:
        ExplorerError: Neither can run it.
    """
    module: OnnxModule
    try:
        if not in_torch:
            raise NotConvertible("some of its operators")
        module = to_torch(file)
    except NotConvertible as error:
        if not has_runtime():
            raise ExplorerError(
                f"PyTorch has no exact form of {error} in {file.name}.",
                f"With ONNX Runtime it can be used: {INSTALL}.",
            ) from error
        module = RuntimeModule(file, str(error))
    except ExplorerError:
        raise
    # The graph of an altered file may contradict itself anywhere.
    except Exception as error:
        raise damaged(file.name, f"{type(error).__name__} while its graph was built") from error
    module.names = tuple(value.name for value in file.model.graph.output)
    return _fed(module, given)


def _fed(module: OnnxModule, given: ImageInput) -> OnnxModule:
    module.nhwc = given.layout == "NHWC"
    module.unbatched = not given.batched
    module.fixed_batch = given.batch
    return module


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """The outputs for a gray image of that size."""

    size: tuple[int, int]
    outputs: tuple[Tensor, ...]


@torch.no_grad()
def tried(module: OnnxModule, given: ImageInput, sizes: Sequence[tuple[int, int]]) -> Trial:
    """The first of `sizes` that the module takes, and its outputs.

    Raises:
        ExplorerError: It takes none of them.
    """
    problem: Exception | None = None
    for height, width in sizes:
        gray = torch.full((1, given.channels, height, width), 0.5)
        # Random numbers around it: two ways to compute are compared with these too.
        noise = torch.rand(gray.shape, generator=torch.Generator().manual_seed(0)) - 0.5
        try:
            values = (gray + 0.5 * noise) * (255 if given.bytes else 1)
            return Trial((height, width), module.outputs(values))
        except Cancelled:
            raise
        # Whatever the graph does with a size that it was not made for.
        except Exception as error:  # noqa: BLE001
            problem = problem or error
    words = problem.message if isinstance(problem, ExplorerError) else str(problem).strip()
    first = words.splitlines()[0][:160].rstrip(".") if words else type(problem).__name__
    shown = " and ".join(f"{width} x {height}" for height, width in sizes[:2])
    raise ExplorerError(
        f"The network gives no answer for an image of {shown} pixels: {first}.",
        "Export it again, or give another input size.",
    ) from problem


def sizes_of(file: OnnxFile, given: ImageInput) -> list[tuple[int, int]]:
    """Height and width of inputs to try: the file's own, else usual ones."""
    if given.height and given.width:
        return [(given.height, given.width)]
    told = metadata.input_size(file.metadata)
    if told is not None:
        return [told]
    return [(given.height or side, given.width or side) for side in SIDES]


def inspected(file: OnnxFile) -> tuple[Card, OnnxModule]:
    """How a file is used by default, and its module, whose head is not yet set.

    Raises:
        ExplorerError: It is no network for images, or it cannot run.
    """
    given = image_input(file)
    _refuse_nan(file)
    module = built(file, given)
    sizes = sizes_of(file, given)
    trial = None
    if not isinstance(module, RuntimeModule):
        try:
            trial = tried(module, given, sizes)
        except ExplorerError:
            if not has_runtime():
                raise
        module, trial = _compared(file, module, given, trial, sizes)
    if trial is None:
        trial = tried(module, given, sizes)
    names = [value.name for value in file.model.graph.output]
    shapes = [tuple(output.shape) for output in trial.outputs]
    told = metadata.task(file.metadata)
    form = decoders.likely_form(shapes, names, trial.size)
    labels = metadata.class_names(file.metadata)
    task = cast("Task", told) if told else _task_of(trial, form, len(labels))
    if task == "detection" and form is None:
        task = _task_of(trial, None, len(labels))
    decoding = decoding_for(form, names, shapes, len(labels)) if task == "detection" else None
    count = class_count(task, shapes, decoding)
    steps, order = _preprocess(file, given, task, trial.size, decoding)
    labels, source = _labels(file, task, count, labels)
    classes = fitting_classes(labels, count, task) or published_classes(count, task)
    assumed = [] if _says_preprocessing(file, given, decoding) else ["preprocessing"]
    if not told and decoding is None and not fitting_classes(labels, count, task):
        assumed.append("task")
    if task != "features" and not fitting_classes(labels, count, task):
        assumed.append("class names")
    card = Card(
        name="",
        path=str(Path(file.path).absolute()),
        digest=file.digest,
        task=task,
        classes=classes,
        preprocess=steps,
        channel_order=order,
        layout=given.layout,
        decoding=decoding,
        in_torch=not isinstance(module, RuntimeModule),
        why=module.why if isinstance(module, RuntimeModule) else "",
        parameters=_parameters(file),
        shapes=tuple(shapes),
        assumed=tuple(assumed),
        input_shape=given.shape,
        output_names=tuple(names),
        labels=labels,
        labels_from=source,
    )
    return card, module


def _refuse_nan(file: OnnxFile) -> None:
    """Weights that are not numbers give no answer; an infinity may be meant (a mask)."""
    onnx = needed("onnx")
    kinds = onnx.TensorProto
    for tensor in file.model.graph.initializer:
        if tensor.data_type in (kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE, kinds.BFLOAT16):
            values = onnx.numpy_helper.to_array(tensor).astype("float32", copy=False)
            if bool((values != values).any()):  # NaN alone differs from itself
                raise ExplorerError(
                    f"{file.name} cannot be used: {tensor.name[:40]} holds NaN.",
                    "Export the network again from a checkpoint of before its training diverged.",
                )


def _compared(
    file: OnnxFile,
    module: OnnxModule,
    given: ImageInput,
    trial: Trial | None,
    sizes: Sequence[tuple[int, int]],
) -> tuple[OnnxModule, Trial | None]:
    """The module, unless ONNX Runtime says that the file computes something else."""
    if not has_runtime():
        return module, trial
    try:
        runtime = _fed(RuntimeModule(file, "this graph"), given)
        runtime.names = module.names
        reference = tried(runtime, given, sizes if trial is None else [trial.size])
    except ExplorerError:
        if trial is None:
            raise
        return module, trial  # it has no operator for it: torch's word stands
    if trial is not None and _same(trial.outputs, reference.outputs):
        return module, trial
    return runtime, reference


def _same(mine: Sequence[Tensor], reference: Sequence[Tensor]) -> bool:
    return len(mine) == len(reference) and all(
        one.shape == other.shape
        and torch.allclose(
            one.double(),
            other.double(),
            rtol=TOLERANCE,
            atol=TOLERANCE * max(float(other.double().abs().max()) if other.numel() else 0.0, 1e-6),
            equal_nan=True,
        )
        for one, other in zip(mine, reference, strict=True)
    )


def _task_of(trial: Trial, form: decoders.Form | None, labels: int) -> Task:
    if form is not None:
        return "detection"
    floats = [output for output in trial.outputs if output.is_floating_point()]
    for output in floats:
        if output.ndim == 2 or (output.ndim == 4 and output.shape[-2:] == (1, 1)):
            return "classification" if output.shape[1] >= 2 else "features"
        if output.ndim == 4 and (
            tuple(output.shape[-2:]) == trial.size or (labels and output.shape[1] == labels)
        ):
            return "segmentation"
    return "features"


def decoding_for(
    form: decoders.Form | None,
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    classes: int = 0,
) -> Decoding | None:
    """How outputs of a form are usually to be read.

    Args:
        form: None = they are no detector's.
        names: Of the outputs.
        shapes: Of the outputs, with the batch.
        classes: How many names the file has; 0 = none.
    """
    match form:
        case None:
            return None
        case "yolov8":
            more = max(0, shapes[0][1] - 4)
            fewer = classes if 0 < classes < more else 0
            return Decoding(form, classes=fewer, score_floor=YOLO_FLOOR, nms_iou=0.7)
        case "yolov5" | "yolox":
            more = max(0, shapes[0][2] - 5)
            fewer = classes if 0 < classes < more else 0
            return Decoding(form, classes=fewer, score_floor=YOLO_FLOOR, nms_iou=0.45)
        case "end-to-end":
            return Decoding(form, first_label=0, score_floor=YOLO_FLOOR)
        case "ssd":
            return Decoding(form, unit=True, nms_iou=0.45)
        case "boxes":
            from_tf = any("detection_boxes" in name.lower() for name in names)
            batch = any(len(shape) == 3 and shape[-1] == 4 for shape in shapes)
            return Decoding(form, "yxyx" if from_tf else "xyxy", unit=batch)
        case _:
            return Decoding(form)


def class_count(task: Task, shapes: Sequence[tuple[int, ...]], decoding: Decoding | None) -> int:
    """How many classes the outputs have, the background included; 0 = they do not tell."""
    if task == "classification":
        return next((s[1] for s in shapes if len(s) in (2, 4)), 0)
    if task == "segmentation":
        return max(2, next((s[1] for s in shapes if len(s) == 4), 0))
    if decoding is None:
        return 0
    match decoding.form:
        case "yolov8":
            return 1 + (decoding.classes or shapes[0][1] - 4)
        case "yolov5" | "yolox":
            return 1 + (decoding.classes or shapes[0][2] - 5)
        case "ssd" | "detr":
            return next((s[-1] for s in shapes if len(s) == 3 and s[-1] != 4), 0)
        case _:
            return 0


def _labels(
    file: OnnxFile, task: Task, count: int, labels: tuple[str, ...]
) -> tuple[tuple[str, ...], str]:
    """Class names that came with the file, rather such as fit, and where they stand."""
    if not fitting_classes(labels, count, task):
        for beside in names_beside(file.path):
            if fitting_classes(beside.names, count, task):
                return beside.names, beside.file
    return labels, "the file" if labels else ""


def _says_preprocessing(file: OnnxFile, given: ImageInput, decoding: Decoding | None) -> bool:
    """Whether the range of the input is known: it is the usual one of YOLO, or the graph's own."""
    yolo = decoding is not None and decoding.form in ("yolov5", "yolov8", "end-to-end")
    known = given.bytes or yolo or metadata.is_ultralytics(file.metadata)
    return known or _inside(file, given.name) is not None


def fitting_classes(names: Sequence[str], count: int, task: Task) -> tuple[str, ...]:
    """`names` by index for `count` classes (0 = any number); () where they do not fit."""
    if not names or task == "features":
        return ()
    if task == "detection":
        return ("__background__", *names) if count in (0, len(names) + 1) else ()
    if len(names) == count:
        return tuple(names)
    if task == "segmentation" and len(names) == count - 1:
        return ("__background__", *names)
    return ()


DATA_SETS = {1000: "ImageNet", 81: "COCO", 91: "COCO", 92: "COCO", 21: "Pascal VOC"}
"""By class count: whose names `published_classes` gives."""


def published_classes(count: int, task: Task) -> tuple[str, ...]:
    """The names of the data set that has as many classes."""
    from explorer.networks import shipped, zoo  # large tables, needed for files without names

    if task == "classification" and count == 1000:
        every = {one.entry.name: one for one in shipped.definitions()}
        return every["efficientnet-lite0"].assumed.classes
    if task == "detection" and count in (81, 91, 92):
        coco = next(
            one.assumed.classes
            for one in zoo.definitions()
            if one.entry.name == "fasterrcnn_resnet50_fpn"
        )
        return coco if count > 81 else (coco[0], *(n for n in coco[1:] if n != "N/A"))
    if task == "segmentation" and count == 21:
        return next(
            one.assumed.classes for one in zoo.definitions() if one.entry.name == "fcn_resnet50"
        )
    return ()


def _preprocess(
    file: OnnxFile,
    given: ImageInput,
    task: Task,
    size: tuple[int, int],
    decoding: Decoding | None,
) -> tuple[Preprocess, str]:
    """The usual preprocessing, and the order of the channels."""
    channels, height, width = given.channels, *size
    fixed = bool(given.height and given.width) or metadata.input_size(file.metadata) is not None
    mean, std = _normalization(file, given, task, decoding)
    values: dict[str, Any] = {"mean": mean, "std": std, "channels": channels}
    form = decoding.form if decoding is not None else ""
    if form in ("yolov5", "yolov8", "end-to-end"):
        return Preprocess(resize=size, letterbox="center", **values), "RGB"
    if form == "yolox":
        return Preprocess(resize=size, letterbox="corner", **values), "BGR"
    if task == "detection" and not fixed:
        return Preprocess(longest=1333, **values), "RGB"
    if task == "segmentation" and not fixed:
        return Preprocess(resize=520, longest=1333, **values), "RGB"
    if task in ("detection", "segmentation") or height != width:
        return Preprocess(resize=size, **values), "RGB"
    whole = metadata.is_ultralytics(file.metadata) or height < 128
    resize = height if whole else round(height * 256 / 224)
    return Preprocess(resize=resize, crop=height, **values), "RGB"


def _normalization(
    file: OnnxFile, given: ImageInput, task: Task, decoding: Decoding | None
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Mean and deviation for values in [0, 1]; None = they stay so."""
    bytes_ = (0.0,) * given.channels, (1 / 255,) * given.channels
    if given.bytes:
        return bytes_
    inside = _inside(file, given.name)
    if inside is not None:
        return bytes_ if inside > 2 else (None, None)
    if decoding is not None and decoding.form == "yolox":
        return bytes_
    plain = decoding is not None and decoding.form not in ("ssd", "detr")
    if plain or metadata.is_ultralytics(file.metadata):
        return None, None
    if given.channels == 1:
        return (sum(MEAN) / 3,), (sum(STD) / 3,)
    return MEAN, STD


def _inside(file: OnnxFile, name: str) -> float | None:
    """The largest constant with which the graph itself normalizes; None where it does not."""
    onnx = needed("onnx")
    graph = file.model.graph
    known = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            known[node.output[0]] = node.attribute[0].t
    largest: float | None = None
    for node in graph.node:
        if name not in node.input:
            continue
        if node.op_type in _PASSING:
            name = node.output[0]
            continue
        constants = [known[value] for value in node.input if value in known]
        if node.op_type not in _NORMALIZING or not constants:
            break
        for constant in constants:
            values = onnx.numpy_helper.to_array(constant)
            if values.size:
                largest = max(largest or 0.0, float(abs(values.astype("float64")).max()))
        name = node.output[0]
    return largest


def _parameters(file: OnnxFile) -> int:
    kinds = needed("onnx").TensorProto
    total = 0
    for tensor in file.model.graph.initializer:
        if tensor.data_type in (kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE, kinds.BFLOAT16):
            count = 1
            for size in tensor.dims:
                count *= size
            total += count
    return total


def headed(module: OnnxModule, card: Card) -> OnnxModule:
    """The module with the head and the channel order of its card."""
    module.bgr = card.channel_order == "BGR"
    module.nhwc = card.layout == "NHWC"
    module.head = first_only
    if card.task == "classification":
        module.head = Classifier()
    elif card.task == "segmentation":
        module.head = Segmenter()
    elif card.task == "detection":
        if card.decoding is None:
            raise ExplorerError(
                "The form of the detector's outputs is not known.",
                f"Give decoder=…, one of {', '.join(decoders.FORMS)}.",
            )
        module.head = Detector(card.decoding, module.names)
        module.score_thresh = card.decoding.score_floor
        module.nms_thresh = card.decoding.nms_iou
        module.detections_per_img = card.decoding.most
    return module


def with_task(card: Card, task: Task, decoder: str = "") -> Card:
    """The card for another task or another form of detections.

    Raises:
        ExplorerError: There is no such form.
    """
    decoding = card.decoding if task == "detection" else None
    if task == "detection" and decoder:
        form = cast("decoders.Form", decoder)
        shapes = ((1, 0, 0),) if form in ("yolov5", "yolov8", "yolox") else ()
        classes = decoding.classes if decoding is not None else 0
        fresh = Decoding(form) if form not in decoders.FORMS else decoding_for(form, (), shapes)
        decoding = replace(fresh, classes=classes) if fresh is not None else None
    return card.changed(task=task, decoding=decoding)
