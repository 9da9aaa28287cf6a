"""`explorer render VIEW IMAGE…`: a view's answer as files, without Qt.

Films are `explorer.cli.film`'s.
"""

from __future__ import annotations

import argparse
import os
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.cli import film, paths, truth_option
from explorer.cli.arguments import (
    CLASSES_HELP,
    STEPS_FPS,
    check_numbers,
    figure_size,
    files_of_settings,
    loaded,
    network_files,
    settings,
    spec_of,
)
from explorer.cli.console import Progress, complain, say
from explorer.cli.outputs import HELP, box_outputs, outputs
from explorer.cli.paths import existing, is_folder, local, relative_names
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.storage.guard import check_outputs
from explorer.core.storage.written import remember
from explorer.render import PICTURE_WIDTH
from explorer.render.vector import FONT_SIZE, WIDTH_MM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from explorer.core.layers import UInt8
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.engine.answer import Ask
    from explorer.engine.engine import Engine
    from explorer.engine.finish import FinishedAnswer
    from explorer.engine.view import View
    from explorer.images.image import Image
    from explorer.saving.boxes import ImageInfo, LabeledBoxes

_WIDTH = 78
COCO = ("coco", "coco-polygons")
"""Formats that put the boxes of all photos into one file."""

EPILOG = f"""\
{textwrap.fill(HELP, _WIDTH)}

examples:
  explorer render classify cat.jpg -o cat.png
  explorer render detections photos/ -o results/ --boxes results/boxes.json
  explorer render instances photos/ --boxes masks.json --format coco-polygons
  explorer render semantic photos/ --masks masks/
  explorer render deep_dream cat.jpg --set steps=20 --film dream.mp4
  explorer render tracks street.mp4 -o tracks.mp4 --data tracks.jsonl
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "render",
        help="run a view on photos or a film and write pictures, data or a film",
        description=textwrap.fill(
            "Run a view on photos, or on every frame of a film, and write the result, without a "
            "window. An interrupted film resumes when the same command is given again.",
            _WIDTH,
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    parser.add_argument("view", metavar="VIEW", help="name of the view; see `explorer list views`")
    parser.add_argument(
        "images", metavar="IMAGE", nargs="*",
        help="photos, folders, names of samples, or films; none if the view needs no photo",
    )  # fmt: skip
    out = parser.add_argument_group("output (at least one)")
    out.add_argument(
        "-o",
        "--out",
        help="picture: .png, .jpg, .webp or .tif; figure: .svg or .pdf; film: .mp4 or .gif",
    )
    out.add_argument(
        "--data", metavar="OUT",
        help="data: .json, .csv or .npz; of a film: .jsonl, one line per frame",
    )  # fmt: skip
    out.add_argument("--boxes", metavar="OUT", help="boxes of the result, in the --format")
    out.add_argument(
        "--format", choices=("coco", "coco-polygons", "voc", "yolo"), default="coco",
        help="format of the boxes (default: coco, one file for all photos, with masks as run "
             "lengths)",
    )  # fmt: skip
    out.add_argument(
        "--masks", metavar="OUT",
        help="masks of the result: indexed .png, with a list of the classes in classes.yaml",
    )  # fmt: skip
    out.add_argument("--film", metavar="OUT", help="film of all steps: .mp4 or .gif")
    out.add_argument(
        "--as-python", action="store_true",
        help="print a Python script that gives the same result; nothing is computed",
    )  # fmt: skip
    paths.add_option(out)
    how = parser.add_argument_group("settings")
    how.add_argument(
        "--network",
        help="name of the network, or an ONNX file (default: one that ships with the program)",
    )
    how.add_argument(
        "--weights", default="",
        help="name of the weights, none (random weights), or path of a checkpoint",
    )  # fmt: skip
    how.add_argument("--classes", metavar="FILE", help=CLASSES_HELP)
    how.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], dest="settings",
        help="a parameter of the view; may be repeated",
    )  # fmt: skip
    truth_option.add_option(how)
    how.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps…")
    how.add_argument("--half", action="store_true", help="half precision where available")
    how.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    how.add_argument(
        "--width", type=int, metavar="PX",
        help=f"width of the picture in pixels (default: {PICTURE_WIDTH}; a film keeps its size)",
    )  # fmt: skip
    how.add_argument(
        "--width-mm", type=float, metavar="MM",
        help=f"width of a figure (.svg, .pdf) in millimeters (default: {WIDTH_MM:g})",
    )  # fmt: skip
    how.add_argument(
        "--font-size", type=float, metavar="PT",
        help=f"font size of a figure in points (default: {FONT_SIZE:g})",
    )  # fmt: skip
    how.add_argument(
        "--theme", choices=("light", "dark"), default="light",
        help="colors of text, plots and tables (default: light)",
    )  # fmt: skip
    how.add_argument("--pane", metavar="NAME", help="write only this pane, at its own size")
    how.add_argument(
        "--fps", type=float,
        help=f"frames per second (default: {STEPS_FPS:g} for --film; a film keeps its rate)",
    )  # fmt: skip
    film.add_options(parser.add_argument_group("films"))
    return parser


def run(args: argparse.Namespace) -> int:
    """Render; 0 = everything written, 2 = at least one photo or film failed."""
    check_numbers(args)
    if args.as_python:
        return _print_script(args)
    if film.wanted(args):
        return film.run(args)
    if args.beside:
        raise ExplorerError("--beside applies to films only.", "Render the other view by itself.")
    _check_outputs(args)
    from explorer import views  # torch comes with them: what can be checked before has been checked
    from explorer.engine.engine import Engine
    from explorer.engine.question import params_of, without_effect

    view = views.find(args.view)
    texts = settings(args.settings, view)
    truth_option.check(args.truth, view)
    engine, progress = Engine(), Progress()
    photos = _photos(args.images, view)
    plans = _plans(args, photos)
    _protect(args, photos, plans, files_of_settings(texts, view))
    spec = spec_of(args, view)
    info = loaded(engine, spec, view, progress)
    params = params_of(view, texts, info)
    for note in without_effect(truth_option.with_some(params, args.truth), texts, info):
        complain(note)
    job = _Job(args, engine, view, spec, params, progress, info)
    failed = False
    try:
        for number, (photo, plan) in enumerate(zip(photos, plans, strict=True), 1):
            title = f"{number}/{len(photos)} {photo.stem}" if len(photos) > 1 else photo.stem
            try:
                job.render(photo.load(), plan, title)
            except ExplorerError as error:
                progress.clear()
                complain(error)
                failed = True
        job.finish()
    finally:
        progress.clear()
    return 2 if failed else 0


def _print_script(args: argparse.Namespace) -> int:
    """What is asked as a Python script; nothing is loaded and nothing is computed for it."""
    _check_script(args)
    from explorer import views
    from explorer.engine.question import params_of
    from explorer.engine.script import script

    view = views.find(args.view)
    texts = settings(args.settings, view)
    truth_option.check(args.truth, view)
    spec = spec_of(args, view)
    photos = _photos(args.images, view)
    plans = _plans(args, photos)
    asked = [_about(params_of(view, texts), photo.load(), args, photo.stem) for photo in photos]
    outs = [[str(out) for out in (plan.picture, plan.data) if out] for plan in plans]
    say(script(view, spec, asked, seed=args.seed, outs=outs).rstrip())
    return 0


def _check_script(args: argparse.Namespace) -> None:
    """Raises for what a script has no words for."""
    if film.wanted(args):
        raise ExplorerError("A script is for photos, not for films.", "Leave --as-python out.")
    for option in ("boxes", "masks", "film", "pane", "width", "width-mm", "font-size", "theme"):
        if getattr(args, option.replace("-", "_")) not in (None, "light"):
            raise ExplorerError(f"--{option} does not apply to a script.", "Use -o and --data.")
    if args.out or args.data:
        _check_outputs(args)


def _about(
    params: Any,
    image: Image | None,
    args: argparse.Namespace,
    title: str,
    info: NetworkInfo | None = None,
) -> tuple[Image | None, Any]:
    """The photo with its parameters; a message tells what was changed."""
    from explorer.engine.question import placed_inside

    if image is None:
        return None, params
    placed, said = placed_inside(params, image.width, image.height)
    params, notes = truth_option.with_file(placed, args.truth, image, info)
    for note in (*said, *notes):
        complain(f"{title}: {note}")
    return image, params


# -- before anything is computed
# --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Photo:
    stem: str
    load: Callable[[], Image | None]
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """The files that one photo's results go to, and its name in files of boxes ("" = its own)."""

    picture: Path | None
    data: Path | None
    boxes: Path | None
    film: Path | None
    masks: Path | None = None
    name: str = ""


def _check_outputs(args: argparse.Namespace) -> None:
    from explorer.saving.export import data_suffix, film_suffix, is_figure, picture_format

    picture = str if args.out and is_figure(args.out) else picture_format
    checks = (
        ("-o", args.out, picture), ("--data", args.data, data_suffix),
        ("--film", args.film, film_suffix), ("--boxes", args.boxes, str),
        ("--masks", args.masks, str),
    )  # fmt: skip
    for option, out, _ in checks:
        if out is not None:
            local(out, option)
    if not (args.out or args.data or args.boxes or args.masks or args.film):
        raise ExplorerError(
            "Nothing would be written.", "Give -o, --data, --boxes, --masks or --film."
        )
    for _, out, check in checks:
        if out and not is_folder(out):
            check(out)


def _photos(words: Sequence[str], view: View[Any, Any]) -> list[_Photo]:
    """Files as they are, the pictures of folders, and the gallery's pictures by name.

    A view that needs none gets one entry without a photo.
    """
    if not view.needs.photo:
        if words:
            raise ExplorerError(f"The view {view.name} needs no photo.", "Leave the photos out.")
        return [_Photo(view.name, lambda: None)]
    if not words:
        raise ExplorerError(
            f"The view {view.name} needs a photo.", "Give its path, or the name of a sample."
        )
    from explorer.images.image import open_image
    from explorer.images.samples import sample
    from explorer.images.sources import expand

    photos: list[_Photo] = []
    for word in words:
        if not os.path.exists(word) and (found := sample(word)) is not None:
            photos.append(_Photo(found.name, found.load))
            continue
        place = local(word, "IMAGE")
        paths = list(expand([existing(word, "IMAGE")])) if os.path.isdir(place) else [place]
        if not paths:
            raise ExplorerError(f"There is no picture in the folder {word}.", "Choose another one.")
        photos += [_Photo(path.stem, lambda path=path: open_image(path), path) for path in paths]  # type: ignore[misc]
    return photos


def _protect(
    args: argparse.Namespace,
    photos: Sequence[_Photo],
    plans: Sequence[_Plan],
    named: Sequence[Path],
) -> None:
    """Raises where a file would be lost."""
    read = [photo.path for photo in photos]
    truths = [truth_option.file_of(args.truth, path) for path in read if path is not None]
    outs = [out for plan in plans for out in (plan.picture, plan.data, plan.film, plan.masks)]
    boxes = dict.fromkeys(plan.boxes for plan in plans)  # COCO puts all photos into one file
    check_outputs(
        [*outs, *boxes], [*read, *truths, *network_files(args), *named], overwrite=args.overwrite,
        below=Path(args.boxes) if args.boxes and is_folder(args.boxes) else None,
    )  # fmt: skip


def _plans(args: argparse.Namespace, photos: Sequence[_Photo]) -> list[_Plan]:
    stems = [photo.stem for photo in photos]
    names = relative_names([photo.path or Path(photo.stem) for photo in photos])

    def places(out: str | None, suffix: str) -> list[Path | None]:
        return [None] * len(stems) if not out else list(outputs(out, stems, suffix))

    from explorer.saving.export import BOX_SUFFIX

    one_file = args.format in COCO and args.boxes and not is_folder(args.boxes)
    together = one_file and "{" not in args.boxes
    boxes: Sequence[Path | None] = [None] * len(stems)
    if args.boxes:
        boxes = box_outputs(args.boxes, names, BOX_SUFFIX[args.format])
    if together:
        boxes = [Path(args.boxes)] * len(stems)
    return [
        _Plan(picture, data, box, film, mask, name.as_posix() if photo.path is not None else "")
        for picture, data, box, film, mask, name, photo in zip(
            places(args.out, ".png"), places(args.data, ".json"), boxes, places(args.film, ".mp4"),
            places(args.masks, ".png"), names, photos, strict=True,
        )
    ]  # fmt: skip


# -- one photo after the other
# ----------------------------------------------------------------------


class _Job:
    """Everything that stays the same from photo to photo."""

    def __init__(
        self,
        args: argparse.Namespace,
        engine: Engine,
        view: View[Any, Any],
        spec: NetworkSpec | None,
        params: Any,
        progress: Progress,
        info: NetworkInfo | None,
    ) -> None:
        self._args, self._engine, self._view, self._spec = args, engine, view, spec
        self._params, self._progress, self._info = params, progress, info
        self._coco: dict[Path, list[tuple[ImageInfo, LabeledBoxes]]] = {}

    def render(self, image: Image | None, plan: _Plan, title: str) -> None:
        """Runs the view on one photo and writes what was asked for."""
        from explorer.engine.answer import Ask
        from explorer.saving.export import save_film

        self._progress.clear()
        _, params = _about(self._params, image, self._args, title, self._info)
        ask = Ask(self._view, self._spec, image, params, self._args.seed)
        last: FinishedAnswer | None = None

        def frames() -> Iterator[UInt8]:
            nonlocal last
            for last in self._answers(ask, title):
                yield last.frame(self._args.pane)

        if plan.film is not None:
            saved = save_film(plan.film, frames(), self._args.fps or STEPS_FPS)
            self._tell(title, plan.film, quantity(saved.frames, "frame"))
        else:
            for answer in self._answers(ask, title):
                last = answer
        if last is None:
            raise ExplorerError(
                f"{self._view.title} gave no result for {title}.",
                "Choose another network or photo.",
            )
        self._write(last, plan, title)

    def finish(self) -> None:
        """Writes the files that hold the results of several photos."""
        from explorer.saving.export import save_coco

        for path, entries in self._coco.items():
            self._make_folder(path)
            save_coco(path, entries, as_polygons=self._args.format == "coco-polygons")
            self._tell(
                "", path, quantity(sum(len(boxes.xyxy) for _, boxes in entries), "box", "boxes")
            )

    def _answers(self, ask: Ask, title: str) -> Iterator[FinishedAnswer]:
        from explorer.core.runner import Token
        from explorer.engine.finish import FinishedAnswer

        steps = self._engine.steps(ask, Token())
        try:
            for step in steps:
                self._progress.show(title, step.done, step.total, step.note)
                if step.value.result is not None:
                    yield FinishedAnswer(step.value)
        finally:
            steps.close()

    def _write(self, answer: FinishedAnswer, plan: _Plan, title: str) -> None:
        from explorer.saving.export import save_data

        args = self._args
        if plan.picture is not None:
            answer.save_picture(
                plan.picture, theme=args.theme, pane=args.pane,
                width=args.width or PICTURE_WIDTH, overwrite=True, **figure_size(args),
            )  # fmt: skip
            self._tell(title, plan.picture, answer.summary)
        if plan.data is not None:
            save_data(plan.data, answer.data_for(plan.data), answer.metadata)
            self._tell(title, plan.data)
        if plan.boxes is not None:
            self._boxes(answer, plan.boxes, plan.name, title)
        if plan.masks is not None:
            self._mask(answer, plan.masks, title)

    def _boxes(self, answer: FinishedAnswer, path: Path, name: str, title: str) -> None:
        from explorer.saving.export import save_boxes

        boxes = answer.boxes
        if boxes is None:
            raise ExplorerError(f"{self._view.title} has no boxes to write.", "Leave --boxes out.")
        photo = answer.photo_info
        if self._args.format in COCO:
            photo = replace(photo, name=name or photo.name)
            self._coco.setdefault(path, []).append((photo, boxes))
        else:
            self._make_folder(path)
            save_boxes(path, boxes, photo, self._args.format)
            self._tell(title, path, quantity(len(boxes.xyxy), "box", "boxes"))

    def _mask(self, answer: FinishedAnswer, path: Path, title: str) -> None:
        from explorer.saving.export import save_mask

        mask = answer.mask
        if mask is None:
            raise ExplorerError(f"{self._view.title} has no masks to write.", "Leave --masks out.")
        save_mask(path, mask)
        self._tell(title, path)

    def _make_folder(self, path: Path) -> None:
        if is_folder(self._args.boxes):  # photos of one name keep their folders in it
            path.parent.mkdir(parents=True, exist_ok=True)

    def _tell(self, title: str, path: Path, words: str = "") -> None:
        remember(path)
        self._progress.clear()
        say(f"{path}: {words}" if words else str(path))
