"""The filters of a deformable part model, and the files that hold them."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.reading import read_file
from explorer.vision.dpm.features import CHANNELS, mirrored

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

MOST_BYTES = 64 * 2**20
"""Of a file with filters."""
MOST_CELLS = 64
"""Of a side of a filter: larger ones fit no photo of the usual size."""
MOST_UNPACKED = 256 * 2**20
META = "meta_json"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A filter that is placed near its anchor, at twice the resolution of the root.

    Attributes:
        filter: (h, w, 31) float32.
        anchor: x and y of its upper left cell in fine cells, relative to the root's upper left
            corner (v of the paper).
        cost: Coefficients of dx, dy, dx^2 and dy^2, where (dx, dy) is the displacement from the
            anchor in fine cells; the last two are above 0.
    """

    filter: Float32
    anchor: tuple[int, int]
    cost: tuple[float, float, float, float]

    def cost_of(self, dx: float, dy: float) -> float:
        a, b, c, d = self.cost
        return a * dx + b * dy + c * dx * dx + d * dy * dy


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """A root filter (h, w, 31) with its parts: one aspect of the class.

    `box` is the object's box in parts of the root's, x0, y0, x1, y1.
    """

    root: Float32
    parts: tuple[Part, ...]
    bias: float
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """The components of a class; scores below `threshold` are no detections."""

    name: str
    components: tuple[Component, ...]
    threshold: float

    @property
    def largest(self) -> tuple[int, int]:
        """Height and width that every root filter fits into."""
        shapes = [component.root.shape for component in self.components]
        return max(shape[0] for shape in shapes), max(shape[1] for shape in shapes)


def mirrored_component(component: Component) -> Component:
    """The component for the mirrored object."""
    wide = 2 * component.root.shape[1]
    x0, y0, x1, y1 = component.box
    parts = []
    for part in component.parts:
        x, y = part.anchor
        a, b, c, d = part.cost
        at = wide - x - part.filter.shape[1]
        parts.append(Part(mirrored(part.filter), (at, y), (-a, b, c, d)))
    return replace(
        component,
        root=mirrored(component.root),
        parts=tuple(parts),
        box=(1 - x1, y0, 1 - x0, y1),
    )


def read_models(path: Path) -> dict[str, Model]:
    """The models in a file by class; nothing in it is executed.

    The format is that of numpy's npz, without pickled objects: `CLASS/COMPONENT/root` and
    `CLASS/COMPONENT/partN` are filters (h, w, 31), the channels in the order of `features`;
    `meta_json` holds UTF-8 JSON as uint8 with, for each class, `score_threshold` and `components`,
    each with `bias`, `parts` and, where the box is not the root filter, `box`. A part has its
    anchor `Vx`, `Vy`, counted from 1, and the cost of moving by the opposite of (dx, dy): `dx`,
    `dy`, `dxx`, `dyy`, as the models of OpenCV's latent SVM detector have them.

    Raises:
        ExplorerError: The file cannot be read, or has something else in it.
    """
    content = read_file(
        path, limit=MOST_BYTES, kind="a file with filters", smaller="Choose another file."
    )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > MOST_UNPACKED:
                raise ValueError("too much in it")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            meta = json.loads(bytes(_uint8(file[META])).decode("utf-8"))
            found = {str(name): _model(str(name), rest, file) for name, rest in meta.items()}
    except (
        OSError, KeyError, ValueError, EOFError, TypeError, AttributeError, IndexError,
        RecursionError, NotImplementedError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise ExplorerError(
            f"{path.name} has no filters of deformable part models in it, or it is damaged.",
            "Choose an npz file with meta_json and the filters of each class.",
        ) from error
    if not found:
        raise ExplorerError(f"{path.name} has no class in it.", "Choose another file.")
    return found


def packed(models: list[Model], dtype: type[np.floating[Any]] = np.float16) -> bytes:
    """A file that `read_models` reads."""
    arrays: dict[str, NDArray[Any]] = {}
    meta: dict[str, Any] = {}
    for model in models:
        components = []
        for number, component in enumerate(model.components):
            arrays[f"{model.name}/{number}/root"] = component.root.astype(dtype)
            for place, part in enumerate(component.parts):
                arrays[f"{model.name}/{number}/part{place}"] = part.filter.astype(dtype)
            components.append(
                {
                    "bias": component.bias,
                    "box": list(component.box),
                    "parts": [_written(part) for part in component.parts],
                }
            )
        meta[model.name] = {"score_threshold": model.threshold, "components": components}
    arrays[META] = np.frombuffer(json.dumps(meta).encode("utf-8"), np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _model(name: str, meta: dict[str, Any], file: Any) -> Model:
    components = tuple(
        _component(f"{name}/{number}", rest, file) for number, rest in enumerate(meta["components"])
    )
    if not components:
        raise ValueError(f"{name} has no component")
    return Model(name, components, _number(meta["score_threshold"]))


def _component(prefix: str, meta: dict[str, Any], file: Any) -> Component:
    parts = tuple(
        _part(_filter(file[f"{prefix}/part{place}"]), rest)
        for place, rest in enumerate(meta["parts"])
    )
    x0, y0, x1, y1 = (_number(side) for side in meta.get("box", (0, 0, 1, 1)))
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"{prefix} has a box without an area")
    return Component(
        _filter(file[f"{prefix}/root"]), parts, _number(meta["bias"]), (x0, y0, x1, y1)
    )


def _part(values: Float32, meta: dict[str, Any]) -> Part:
    a, b, c, d = (_number(meta[key]) for key in ("dx", "dy", "dxx", "dyy"))
    if min(c, d) <= 0:
        raise ValueError("a cost that does not grow with the distance")
    x, y = int(_number(meta["Vx"])) - 1, int(_number(meta["Vy"])) - 1
    if not (0 <= x <= 2 * MOST_CELLS and 0 <= y <= 2 * MOST_CELLS):
        raise ValueError(f"an anchor at {x}, {y}")
    return Part(values, (x, y), (-a, -b, c, d))


def _written(part: Part) -> dict[str, float]:
    a, b, c, d = part.cost
    x, y = part.anchor
    return {"Vx": x + 1, "Vy": y + 1, "dx": -a, "dy": -b, "dxx": c, "dyy": d}


def _filter(array: NDArray[Any]) -> Float32:
    ok = array.ndim == 3 and array.shape[2] == CHANNELS and array.dtype.kind == "f"
    if not (ok and min(array.shape[:2]) > 0 and max(array.shape[:2]) <= MOST_CELLS):
        raise ValueError(f"a filter of shape {array.shape} and dtype {array.dtype}")
    values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("a filter that is not finite")
    return values


def _number(value: Any) -> float:
    number = float(value)
    if not np.isfinite(number):
        raise ValueError("a number that is not finite")
    return number


def _uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype != np.uint8 or array.ndim != 1:
        raise ValueError(f"{META} has shape {array.shape} and dtype {array.dtype}")
    return array
