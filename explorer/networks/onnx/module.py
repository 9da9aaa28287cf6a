"""The module of an ONNX graph: every node is a sub-module with its name from the network."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.networks.onnx.nodes import file_nodes, module_names
from explorer.networks.onnx.operators import NotConvertible, converted
from explorer.networks.onnx.outputs.grids import Constants
from explorer.networks.onnx.packages import needed

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.networks.onnx.nodes import FileNode
    from explorer.networks.onnx.reading import OnnxFile

    Head = Callable[[tuple[Tensor, ...], Tensor], Any]
    Sized = tuple[tuple[int, ...], int]
    Seen = Callable[[str, Any], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the forward pass.

    Attributes:
        layer: The dotted name of the module.
        given: Names of its values; "" = left out.
        made: Names of its outputs.
        over: Values that nothing needs any more afterwards.
    """

    layer: str
    given: tuple[str, ...]
    made: tuple[str, ...]
    over: tuple[str, ...]


def first_only(outputs: tuple[Tensor, ...], _images: Tensor) -> Any:
    """The output itself, or all of them where there are several."""
    return outputs[0] if len(outputs) == 1 else outputs


class OnnxModule(nn.Module):
    """What both ways to run a file have in common: how the image goes in and the answer comes out.

    Attributes:
        bgr: The file wants its channels in the order blue, green, red.
        nhwc: It wants the channels last.
        unbatched: It takes one image, without an axis for the batch.
        fixed_batch: It takes this many images at a time; 0 = any number.
        names: Of its outputs.
        score_thresh: Of a detector, as of torchvision's: boxes need a higher score.
        nms_thresh: A box that overlaps a better one of its class by more is suppressed.
        detections_per_img: At most this many boxes.
        head: From its outputs and the images to what a network of its task gives.
        nodes: The file's own nodes, those that give constants left out.
        source: The name of its input.
        anchors: The constants of the file that may be a detector's anchors.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bgr = False
        self.nhwc = False
        self.unbatched = False
        self.fixed_batch = 0
        self.names: tuple[str, ...] = ()
        self.head: Head = first_only
        self.score_thresh, self.nms_thresh, self.detections_per_img = 0.0, 0.5, 0
        self.nodes: tuple[FileNode, ...] = ()
        self.source = ""
        self.anchors = Constants()

    def forward(self, images: Tensor | list[Tensor]) -> Any:
        """(N, 3, H, W), RGB, as the preprocessing gives it; a list of images of one size too."""
        batch = images if isinstance(images, Tensor) else torch.stack(images)
        return self.head(self.outputs(batch), batch)

    def outputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """The file's own outputs, in its order."""
        values = self._entered(images)
        if self.unbatched or self.fixed_batch != 1 or len(values) <= 1:
            return self.run(values)
        each = [self.run(values[at : at + 1]) for at in range(len(values))]
        return tuple(torch.cat(parts) for parts in zip(*each, strict=True))

    def run(self, values: Tensor) -> tuple[Tensor, ...]:
        """The graph on its own input."""
        raise NotImplementedError

    def sizes(self, images: Tensor) -> dict[str, Sized]:
        """The shape of every tensor of the graph for the first image, and how many bytes it has.

        By its name in the file; what is no tensor is missing.
        """
        raise NotImplementedError

    def _entered(self, images: Tensor) -> Tensor:
        """What the file takes, of what the preprocessing gives."""
        values = images.flip(1) if self.bgr and images.shape[1] == 3 else images
        values = values.permute(0, 2, 3, 1) if self.nhwc else values
        return values[0] if self.unbatched else values


class GraphModule(OnnxModule):
    """The graph in torch: it has gradients, hooks and weights as any other module."""

    def __init__(self, source: str, plan: tuple[Step, ...], results: tuple[str, ...]) -> None:
        super().__init__()
        self.source, self.plan, self.results = source, plan, results
        self.constants: dict[str, str] = {}
        """From the names of values to the buffers that hold them."""

    def run(self, values: Tensor) -> tuple[Tensor, ...]:
        return self._run(values, lambda _name, _value: None)

    @torch.no_grad()
    def sizes(self, images: Tensor) -> dict[str, Sized]:
        found: dict[str, Sized] = {}

        def seen(name: str, value: Any) -> None:
            if isinstance(value, Tensor):
                found[name] = tuple(value.shape), value.numel() * value.element_size()

        values = self._entered(images[:1])
        seen(self.source, values)
        self._run(values, seen)
        return found

    def _run(self, values: Tensor, seen: Seen) -> tuple[Tensor, ...]:
        known: dict[str, Any] = {self.source: values}
        for step in self.plan:
            found = self.get_submodule(step.layer)
            given = [self._value(known, name) for name in step.given]
            answer = _called(found, given)
            made = answer if isinstance(answer, (tuple, list)) else (answer,)
            for name, value in zip(step.made, made, strict=False):
                if name:
                    known[name] = value
                    seen(name, value)
            for name in step.over:
                known.pop(name, None)
        return tuple(self._value(known, name) for name in self.results)

    def _value(self, known: dict[str, Any], name: str) -> Any:
        if not name:
            return None
        return known[name] if name in known else getattr(self, self.constants[name])


def _called(module: nn.Module, given: list[Any]) -> Any:
    while given and given[-1] is None:
        given.pop()
    if None not in given:
        return module(*given)
    first = given.index(None)  # what is left out in between has a default
    names = list(inspect.signature(module.forward).parameters)[first : len(given)]
    rest = zip(names, given[first:], strict=True)
    return module(*given[:first], **{name: value for name, value in rest if value is not None})


def to_torch(file: OnnxFile) -> GraphModule:
    """The graph of a file as a module in eval mode.

    Raises:
        NotConvertible: Its words name the operators that have no form in torch.
    """
    onnx, graphs = needed("onnx"), needed("onnx2torch.onnx_graph")
    model = type(file.model)()
    try:
        model.CopyFrom(onnx.shape_inference.infer_shapes(file.model))
    # Shapes help some converters and are no condition; C++ code raises what it likes.
    except Exception:  # noqa: BLE001
        model.CopyFrom(file.model)
    _single_precision(onnx, model)
    proto = model.graph
    _fold(onnx, proto)
    constants = {tensor.name: tensor for tensor in proto.initializer}
    inputs = [value for value in proto.input if value.name not in constants]
    del proto.input[:]
    proto.input.extend(inputs)
    versions = {entry.domain: entry.version for entry in model.opset_import}
    graph = graphs.OnnxGraph(proto)
    nodes = list(graph.nodes.values())
    parts, missing = [], set()
    for node in nodes:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parts.append(converted(node, graph, versions.get(node.domain, file.opset)))
        except NotConvertible as error:
            missing.add(str(error))
    if missing:
        raise NotConvertible(", ".join(sorted(missing)))
    results = tuple(value.name for value in proto.output)
    names = module_names([node.proto for node in nodes])
    plan = _plan(names, [given for _, given in parts], nodes, results)
    module = GraphModule(inputs[0].name, plan, results)
    module.nodes = file_nodes(
        file, {name: step.layer for step in plan for name in step.made if name}
    )
    for name, (part, _) in zip(names, parts, strict=True):
        put(module, name, part)
    used = {name for step in plan for name in step.given} | set(results)
    for name in sorted(used & set(constants)):
        place = f"constant_{len(module.constants)}"
        module.register_buffer(place, _tensor(onnx, constants[name]))
        module.constants[name] = place
    return module.eval().requires_grad_(False)


def _plan(
    names: list[str], given: list[tuple[str, ...]], nodes: list[Any], results: tuple[str, ...]
) -> tuple[Step, ...]:
    last = {value: at for at, values in enumerate(given) for value in values if value}
    steps = []
    for at, (name, values, node) in enumerate(zip(names, given, nodes, strict=True)):
        made = tuple(node.output_values)
        mine = (*values, *made)
        over = {value for value in mine if last.get(value, at) <= at} - set(results) - {""}
        steps.append(Step(name, values, made, tuple(sorted(over))))
    return tuple(steps)


def put(root: nn.Module, name: str, part: nn.Module) -> None:
    """Makes `part` the sub-module with that dotted name."""
    *above, last = name.split(".")
    place = root
    for word in above:
        if word not in place._modules:
            place.add_module(word, nn.Module())
        place = place._modules[word] or place
    place.add_module(last, part)


def _fold(onnx: Any, graph: Any) -> None:
    """Constant nodes, and copies of constants, become initializers."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        made = None
        if node.op_type == "Constant":
            made = _constant(onnx, node)
        elif node.op_type == "Identity" and node.input[0] in constants:
            made = type(constants[node.input[0]])()
            made.CopyFrom(constants[node.input[0]])
        if made is None:
            kept.append(node)
            continue
        made.name = node.output[0]
        constants[made.name] = made
    before = {tensor.name for tensor in graph.initializer}
    graph.initializer.extend([tensor for name, tensor in constants.items() if name not in before])
    del graph.node[:]
    graph.node.extend(kept)


def _constant(onnx: Any, node: Any) -> Any:
    """The tensor of a Constant node; None where it is text or sparse."""
    (about, *_) = node.attribute
    if about.name == "value":
        return about.t
    kinds = {"value_float": onnx.TensorProto.FLOAT, "value_int": onnx.TensorProto.INT64}
    kind = kinds.get(about.name.removesuffix("s"))
    if kind is None:
        return None
    value = onnx.helper.get_attribute_value(about)
    many = about.name.endswith("s")
    return onnx.helper.make_tensor(
        "", kind, [len(value)] if many else [], value if many else [value]
    )


def _tensor(onnx: Any, proto: Any) -> Tensor:
    # A copy: what protobuf gives is read-only.
    return torch.from_numpy(onnx.numpy_helper.to_array(proto).copy())


def _single_precision(onnx: Any, model: Any) -> None:
    """Puts float32 in the place of shorter floats, which a CPU hardly computes in."""
    kinds = onnx.TensorProto
    short = (kinds.FLOAT16, kinds.BFLOAT16)
    tensors = [*model.graph.initializer]
    tensors += [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    casts = [
        about
        for node in model.graph.node
        if node.op_type == "Cast"
        for about in node.attribute
        if about.name == "to" and about.i in short
    ]
    for tensor in tensors:
        if tensor.data_type in short:
            values = onnx.numpy_helper.to_array(tensor).astype("float32")
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    for about in casts:
        about.i = kinds.FLOAT
