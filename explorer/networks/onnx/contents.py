"""What is in an ONNX file, for a table: its graph, its weights, and how it would be used."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.core.listing import quantity
from explorer.networks.checkpoints.inspection import listed_up_to, size_words
from explorer.networks.onnx import answers
from explorer.networks.onnx.loading import looked_at
from explorer.networks.onnx.packages import needed
from explorer.networks.onnx.reading import OnnxFile, every_node, read

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.networks.onnx.cards import Card


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a file.

    Attributes:
        name: Of the file.
        bytes: Of the file; what lies in other files does not count.
        opset: Of its standard operators.
        producer: The program that wrote it, "" = it does not say.
        inputs: Name, type and shape of each, as in: image: float32 1 x 3 x 640 x 640.
        outputs: The same, with the shapes that a trial gave where the file leaves them open.
        operators: Kinds of operators and how many there are, the most frequent first.
        tensors: Number of weight tensors.
        numbers: How many values they hold.
        classes: Class names, the background not included; () where there are none.
        use: What its outputs look like.
        runs: Where it runs.
        unclear: What nothing in the file says, and nobody has answered.
    """

    name: str
    bytes: int
    opset: int
    producer: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    operators: tuple[tuple[str, int], ...]
    tensors: int
    numbers: int
    classes: tuple[str, ...]
    use: str
    runs: str
    unclear: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """A file that cannot be used is refused before."""
        return True

    @property
    def names(self) -> tuple[str, ...]:
        """Networks of the catalog that it fits: it is one itself."""
        return ()

    def text(self) -> str:
        """`lines`, one below the other."""
        return "\n".join(f"{head}: {words}" for head, words in self.lines())

    def lines(self) -> tuple[tuple[str, str], ...]:
        """A heading and words for each fact, for a table or a card."""
        written = f", written by {self.producer}" if self.producer else ""
        kinds = listed_up_to([f"{kind} ({count})" for kind, count in self.operators], 8)
        classes = "none listed"
        if self.classes:
            count = quantity(len(self.classes), "class", "classes")
            classes = f"{count}: {listed_up_to(self.classes, 5)}"
        unclear = listed_up_to(self.unclear, 3) if self.unclear else "nothing"
        return (
            ("File", f"{self.name}, {size_words(self.bytes)}"),
            ("Format", f"ONNX, opset {self.opset}{written}"),
            ("Input", listed_up_to(self.inputs, 4)),
            ("Outputs", listed_up_to(self.outputs, 4)),
            ("Operators", kinds),
            ("Tensors", f"{self.tensors:,} with {self.numbers:,} numbers; none is missing"),
            ("Class names", classes),
            ("Looks like", self.use),
            ("Runs in", self.runs),
            ("Unclear", unclear),
        )


def contents(path: Path) -> Contents:
    """What is in a file: its graph runs once, on noise, to see what it gives.

    Raises:
        ExplorerError: The file cannot be used.
    """
    card = looked_at(path)
    asked = answers.questions(card)
    file = read(path.expanduser())
    graph = file.model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    numbers = [_count(tensor.dims) for tensor in held.values()]
    runs = "PyTorch" if card.in_torch else f"ONNX Runtime, without gradients ({card.why})"
    kinds = Counter(node.op_type for node in every_node(graph))
    return Contents(
        name=file.name,
        bytes=os.path.getsize(file.path),
        opset=file.opset,
        producer=" ".join((file.model.producer_name, file.model.producer_version)).strip()[:60],
        inputs=tuple(_value(value) for value in graph.input if value.name not in held),
        outputs=_outputs(file, card),
        operators=tuple(kinds.most_common()),
        tensors=len(numbers),
        numbers=sum(numbers),
        classes=asked.answers.names,
        use=asked.uses[0].reason,
        runs=runs,
        unclear=card.unclear,
    )


def _outputs(file: OnnxFile, card: Card) -> tuple[str, ...]:
    values = file.model.graph.output
    if len(card.shapes) != len(values):
        return tuple(_value(value) for value in values)
    return tuple(
        f"{value.name}: {answers.shape_words(shape)}"
        for value, shape in zip(values, card.shapes, strict=True)
    )


def _value(value: Any) -> str:
    about = value.type.tensor_type
    try:
        kind = needed("onnx").helper.tensor_dtype_to_np_dtype(about.elem_type)
    except (KeyError, ValueError, TypeError):
        kind = "unknown type"
    return f"{value.name}: {kind} {answers.shape_words([d.dim_value for d in about.shape.dim])}"


def _count(dims: Any) -> int:
    count = 1
    for size in dims:
        count *= size
    return count
