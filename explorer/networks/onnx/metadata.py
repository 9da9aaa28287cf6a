"""What an exporter wrote into a file beside the graph: class names, task, input size."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_LETTERS = 1 << 20
_NAMES = ("names", "classes", "class_names", "labels", "categories", "id2label")
_TASKS = {
    "detect": "detection", "segment": "detection", "pose": "detection", "obb": "detection",
    "classify": "classification", "classification": "classification", "detection": "detection",
    "segmentation": "segmentation", "semantic-segmentation": "segmentation",
    "image-classification": "classification", "object-detection": "detection",
}  # fmt: skip


def value_of(text: str) -> Any:
    """JSON or a Python literal, as Ultralytics writes it; None for anything else."""
    if len(text) > MOST_LETTERS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def class_names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Names by index from 0; () where the file has none."""
    for key in _NAMES:
        value = value_of(metadata.get(key, ""))
        if isinstance(value, dict) and value:
            try:
                numbered = {int(number): str(name) for number, name in value.items()}
            except (ValueError, TypeError):
                continue
            if set(numbered) == set(range(len(numbered))):
                return tuple(numbered[number] for number in range(len(numbered)))
        elif isinstance(value, (list, tuple)) and value:
            return tuple(str(name) for name in value)
        elif key in metadata and "," in metadata[key]:
            return tuple(name.strip() for name in metadata[key].split(","))
    return ()


def task(metadata: Mapping[str, str]) -> str:
    """The task that the file names; "" where it names none."""
    return _TASKS.get(metadata.get("task", "").strip().lower(), "")


def input_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Height and width."""
    for key in ("imgsz", "input_size", "image_size"):
        value = value_of(metadata.get(key, ""))
        sizes = [value, value] if isinstance(value, int) else value
        if isinstance(sizes, (list, tuple)) and all(isinstance(size, int) for size in sizes):
            numbers = [size for size in sizes if size > 3]
            if len(numbers) == 2 and max(numbers) <= 4096:
                return numbers[0], numbers[1]
    return None


def is_ultralytics(metadata: Mapping[str, str]) -> bool:
    """Whether Ultralytics' exporter wrote the file: its images are in [0, 1]."""
    return (
        "ultralytics" in f"{metadata.get('author', '')} {metadata.get('description', '')}".lower()
    )
