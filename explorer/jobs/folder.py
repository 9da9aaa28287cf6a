"""The folder jobs that run a view: `predict` keeps what it found, `render` its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.batch.job import EndsJob, Row
from explorer.batch.opening import open_photo
from explorer.batch.outputs import write_coco, write_csv, write_files, write_labels, write_masks
from explorer.batch.parquet import check_parquet, write_records
from explorer.batch.ready import (
    entry_of,
    loaded,
    network_settings,
    out_of_memory_told,
    spec_of,
    threads_set,
)
from explorer.core.errors import ExplorerError
from explorer.core.param_forms import params_json
from explorer.core.params import resolved
from explorer.engine.answer import Answer, Ask
from explorer.engine.finish import FinishedAnswer
from explorer.engine.question import check_suits, params_of, placed_inside
from explorer.engine.references import Opened, named
from explorer.engine.scene import Scene, checked
from explorer.render import PICTURE_WIDTH
from explorer.saving.boxes import BOX_FORMATS
from explorer.saving.pictures import FORMATS, encoded
from explorer.views import find

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from explorer.batch.photos import Photo
    from explorer.engine.view import View
    from explorer.images.image import Image
    from explorer.networks.network import Network

PREDICTIONS = {
    "coco": "predictions.json",
    "coco-polygons": "predictions.json",
    "yolo": "labels",
    "voc": "annotations",
    "png": "masks",
    "csv": "predictions.csv",
    "parquet": "predictions.parquet",
}
"""The formats of `predict` and what each writes into OUT."""

PICTURES = "pictures"
_PICTURE_SUFFIXES = (".png", ".jpg", ".webp")

_CHUNK, _CHUNK_OF_FILES = 128, 16


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    image: Image
    values: Tensor | None


class _Viewed:
    """A view on one photo after the other; the results are those of the window.

    Several photos of one size may go through the network together, where the view needs nothing
    but the network's output and the network takes batches.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        threads_set(params)
        self.view: View[Any, Any] = find(str(params.get("view", "")))
        if not self.view.needs.photo:
            raise ExplorerError(f"The view {self.view.name} needs no photo.", "Choose another.")
        if self.view.job is not None:
            raise ExplorerError(
                f"{self.view.title} is a long computation of its own.", "Choose another view."
            )
        self.network: Network | None = None
        if self.view.needs.network:
            self.network = loaded(spec_of(params))
            check_suits(self.view, self.network.info)
        info = None if self.network is None else self.network.info
        self.params = resolved(params_of(self.view, params.get("set", {}), info), info)
        wanted = named(self.view, self.params, info)
        if wanted.networks or wanted.images:
            raise ExplorerError(
                f"{self.view.title} takes another network or photo.", "Choose another view."
            )
        self.seed = int(params.get("seed", 0))

    @property
    def batched(self) -> bool:
        network = self.network
        return network is not None and network.preprocess.batched and self.view.answer_only

    def settings(self) -> dict[str, Any]:
        return {
            **network_settings(self.network),
            "view": self.view.name,
            "parameters": params_json(self.params),
            "seed": self.seed,
        }

    def load(self, photo: Photo) -> _Item:
        image = open_photo(photo)
        assert self.network is not None or not self.batched
        values = self.network.preprocess(image.pixels) if self.batched and self.network else None
        return _Item(image, values)

    def alike(self, item: _Item) -> Hashable:
        return None if item.values is None else tuple(item.values.shape)

    def answers(self, items: Sequence[_Item]) -> Iterator[FinishedAnswer]:
        """The finished answer of each photo.

        Raises:
            ExplorerError: The network's output is not finite, or the view gave nothing.
        """
        output: Any = None
        if len(items) > 1:
            assert self.network is not None
            values = torch.cat([item.values for item in items if item.values is not None])
            output = _batch_output(self.network, values)
        for number, item in enumerate(items):
            yield self._answer(item, entry_of(output, number))

    def _answer(self, item: _Item, output: Any) -> FinishedAnswer:
        network, image = self.network, item.image
        params, _ = placed_inside(self.params, image.width, image.height)
        scene = Scene(network, image, self.seed, opened=Opened())
        if network is not None and item.values is not None:
            values = item.values
            scene.memo("input", lambda: values.to(network.device, network.dtype))
        if output is not None:
            scene.memo("output", lambda: output)
        result: Any = None
        steps = self.view.compute(scene, params)
        try:
            for step in steps:
                result = step.value
        finally:
            steps.close()
        if result is None:
            raise ExplorerError(f"{self.view.title} gave no result.")
        info = None if network is None else network.info
        spec = None if info is None else info.spec
        ask = Ask(self.view, spec, image, params, self.seed)
        return FinishedAnswer(Answer(ask, info, params, result))


@torch.no_grad()
def _batch_output(network: Network, values: Tensor) -> Any:
    return checked(network.module(values.to(network.device, network.dtype)))


# -- predict --------------------------------------------------------------------------------------


def predict(params: Mapping[str, Any]) -> Predict:
    """The job; its parameters are `view`, `spec`, `set`, `seed`, `threads` and `format`.

    Raises:
        ExplorerError: View, network, parameters and format do not go together.
    """
    return Predict(params)


class Predict:
    """See `batch.job.FolderJob`: boxes, tables or maps of classes, as the view's data has them."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._viewed = _Viewed(params)
        network = self._viewed.network
        task = "" if network is None else network.info.task
        usual = {"detection": "coco", "localization": "coco", "segmentation": "png"}
        self._format = str(params.get("format") or usual.get(task, "csv"))
        if self._format not in PREDICTIONS:
            raise ExplorerError(
                f"Predictions cannot be written as {self._format}.",
                f"Choose among: {', '.join(PREDICTIONS)}.",
            )
        if self._format == "parquet":
            check_parquet()
        classes = () if network is None else network.info.classes
        self._classes = classes if task != "classification" else ()
        if self._format == "yolo" and not self._classes:
            raise ExplorerError(
                "YOLO's label files need the classes of a detector.", "Choose another --format."
            )

    @property
    def chunk(self) -> int:
        return _CHUNK_OF_FILES if self._format == "png" else _CHUNK

    def settings(self) -> Mapping[str, Any]:
        return {**self._viewed.settings(), "format": self._format}

    def load(self, photo: Photo) -> _Item:
        return self._viewed.load(photo)

    def alike(self, item: _Item) -> Hashable:
        return self._viewed.alike(item)

    def compute(self, items: Sequence[_Item]) -> Sequence[Row]:
        return out_of_memory_told(lambda: [self._row(each) for each in self._viewed.answers(items)])

    def merge(self, rows: Callable[[], Iterator[Row]], out: Path) -> Sequence[str]:
        name = PREDICTIONS[self._format]
        match self._format:
            case "coco" | "coco-polygons":
                polygons = self._format == "coco-polygons"
                write_coco(out / name, rows, self._classes, as_polygons=polygons)
            case "yolo" | "voc":
                write_labels(out / name, rows(), self._classes, self._format)
            case "png":
                write_masks(out / name, rows)
            case "csv":
                write_csv(out / name, rows)
            case "parquet":
                write_records(out / name, rows)
        return (name,)

    def _row(self, answer: FinishedAnswer) -> Row:
        image = answer.answer.ask.image
        assert image is not None
        if self._format == "png":
            mask = answer.mask
            if mask is None:
                raise EndsJob(
                    f"{self._viewed.view.title} has no masks to write.", "Choose another --format."
                )
            names = {str(number): name for number, name in mask.names.items()}
            return Row({"names": names}, {"file": np.frombuffer(mask.png(), np.uint8)})
        boxes = answer.boxes
        if boxes is None and self._format in BOX_FORMATS:
            raise EndsJob(
                f"{self._viewed.view.title} has no boxes to write.", "Choose --format csv."
            )
        if boxes is None:
            tables = answer.bare.tables
            if not tables:
                raise EndsJob(f"{self._viewed.view.title} has no table.", "Choose another view.")
            lines = [[_plain(value) for value in line] for line in tables[0].rows]
            return Row({"columns": list(tables[0].columns), "rows": lines})
        arrays = {"xyxy": boxes.xyxy}
        if boxes.scores is not None:
            arrays["scores"] = boxes.scores
        content = {"width": image.width, "height": image.height, "labels": list(boxes.labels)}
        if "coco" in self._format:
            content["outlines"] = list(boxes.outlines)
            if boxes.keypoints is not None:
                content["keypoint_names"] = list(boxes.keypoint_names)
                arrays["keypoints"] = boxes.keypoints
        return Row(content, arrays)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


# -- render ---------------------------------------------------------------------------------------


def render(params: Mapping[str, Any]) -> Render:
    """The job; its parameters are `view`, `spec`, `set`, `seed`, `threads`, `format` (a suffix of a
    picture without its dot), `width`, `theme` and `pane`.

    Raises:
        ExplorerError: View, network, parameters and format do not go together.
    """  # noqa: D205
    return Render(params)


class Render:
    """See `batch.job.FolderJob`: a picture for each photo, as `explorer render` writes it."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._viewed = _Viewed(params)
        self._suffix = f".{params.get('format') or 'png'}"
        if self._suffix not in _PICTURE_SUFFIXES:
            raise ExplorerError(
                f"Pictures cannot be written as {self._suffix[1:]}.",
                f"Choose among: {', '.join(suffix[1:] for suffix in _PICTURE_SUFFIXES)}.",
            )
        self._width = int(params.get("width") or PICTURE_WIDTH)
        self._theme = "dark" if params.get("theme") == "dark" else "light"
        self._pane = None if params.get("pane") is None else str(params["pane"])

    @property
    def chunk(self) -> int:
        return _CHUNK_OF_FILES

    def settings(self) -> Mapping[str, Any]:
        how = {"width": self._width, "theme": self._theme, "pane": self._pane}
        return {**self._viewed.settings(), "format": self._suffix[1:], **how}

    def load(self, photo: Photo) -> _Item:
        return self._viewed.load(photo)

    def alike(self, item: _Item) -> Hashable:
        return self._viewed.alike(item)

    def compute(self, items: Sequence[_Item]) -> Sequence[Row]:
        return out_of_memory_told(lambda: [self._row(each) for each in self._viewed.answers(items)])

    def merge(self, rows: Callable[[], Iterator[Row]], out: Path) -> Sequence[str]:
        write_files(out / PICTURES, rows(), self._suffix)
        return (PICTURES,)

    def _row(self, answer: FinishedAnswer) -> Row:
        theme: Any = self._theme
        rgb = answer.picture(width=self._width, theme=theme, pane=self._pane)
        data = encoded(rgb, FORMATS[self._suffix], answer.metadata)
        return Row({}, {"file": np.frombuffer(data, np.uint8)})
