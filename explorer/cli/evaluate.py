"""`explorer evaluate --network N --data D`: the metrics of a network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from explorer.cli import paths
from explorer.cli.arguments import CLASSES_HELP, class_list, network_files, network_name
from explorer.cli.console import Progress, complain, say, table
from explorer.core.errors import ExplorerError
from explorer.core.storage.guard import check_outputs
from explorer.core.storage.written import remember

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator
    from pathlib import Path

    from explorer.core.network_info import NetworkSpec
    from explorer.core.step import Step
    from explorer.evaluation.report import Report

_OUTPUTS = (
    ("-o", "out", (".json", ".csv")),
    ("--json", "json", (".json",)),
    ("--report", "report", (".html",)),
)
"""What is written: its option, the name of its argument, and suffixes."""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="evaluate a network on photos with ground truth",
        description="Evaluate a network on photos with ground truth: top-1 and top-5 accuracy, "
        "localization error, COCO and Pascal VOC average precision, recall and error types, "
        "keypoint AP and PCK, mean IoU.",
        epilog="DATA is a folder with one subfolder of photos per class (named by class or WordNet "
        "id), a COCO .json file or its folder, a folder with Pascal VOC .xml files, a data.yaml or "
        "a folder with YOLO label files, a folder of class masks, or an .npz file of photos as for "
        "`explorer train`. Classes that the network "
        "does not have are ignored and counted.",
    )
    parser.add_argument("--network", help="network to evaluate", metavar="NAME")
    parser.add_argument("--data", required=True, help="photos with ground truth; see below")
    parser.add_argument("--images", metavar="DIR", help="folder of the annotated photos")
    parser.add_argument(
        "--weights", default="",
        help="name of the weights, none (random weights), or path of a checkpoint",
    )  # fmt: skip
    parser.add_argument("--classes", metavar="FILE", help=CLASSES_HELP)
    parser.add_argument(
        "--limit", type=int, default=0, metavar="K",
        help="at most K photos, sampled at random with a fixed seed (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--eleven-point",
        action="store_true",
        help="also report voc_AP_11, the 11-point AP that VOC used before 2010",
    )
    parser.add_argument(
        "--compare", metavar="NAME",
        help="a second detector, evaluated on the same photos: its errors beside the first one's",
    )  # fmt: skip
    parser.add_argument(
        "--json", nargs="?", const="", metavar="FILE",
        help="print JSON; with a name ending in .json, write it to that file",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", metavar="FILE", help="also write the metrics to a .json or .csv file"
    )
    parser.add_argument(
        "--report", metavar="FILE",
        help="also write a report with figures and tables: one web page, .html",
    )  # fmt: skip
    paths.add_option(parser)
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps…")
    parser.add_argument("--half", action="store_true", help="half precision where available")
    return parser


def run(args: argparse.Namespace) -> int:
    """Evaluate; 0 = all photos were evaluated, 130 = interrupted."""
    _check(args)
    from explorer.engine.engine import Engine
    from explorer.evaluation.run import Wish, fulfill

    spec = _spec(args)
    wish = Wish(spec, args.data, args.images, args.limit, args.eleven_point, _other(args, spec))
    report = _followed(fulfill(wish, Engine()), wish.spec.name or args.data.name)
    if not report.complete:
        complain(
            f"interrupted after {report.photos:,} of {report.wanted:,} photos: "
            f"{report.headline() or 'no metric yet'}"
        )
        return 130
    _write(args, report)
    _tell(report, as_json=args.json == "")
    return 0


def _write(args: argparse.Namespace, report: Report) -> None:
    """The files that were asked for."""
    from explorer.core.storage.atomic import write_bytes
    from explorer.evaluation.report import csv_of, json_of

    for path in (args.out, args.json or None):
        if path is not None:
            content = json_of(report) if path.suffix.lower() == ".json" else csv_of(report)
            write_bytes(path, content)
            remember(path)
    if args.report is not None:
        from explorer.core.values import FolderRef
        from explorer.saving.export import metadata, save_page
        from explorer.views.evaluation.evaluation.view import Params, page

        params = Params(FolderRef(str(args.data)))
        about = metadata("evaluation", params, report.info, None, 0, report.notes)
        title = f"Evaluation · {report.title} on {report.data}"
        save_page(args.report, page(report, params), about, title=title)
        remember(args.report)


def _check(args: argparse.Namespace) -> None:
    if args.limit < 0:
        raise ExplorerError(f"--limit {args.limit} is out of range.", "0 means all photos.")
    args.data = paths.existing(args.data, "--data")
    if args.images is not None:
        args.images = paths.existing(args.images, "--images")
        if not os.path.isdir(args.images):
            raise ExplorerError(
                f"{args.images} is not a folder.", "Choose the folder of the photos."
            )
    for option, name, suffixes in _OUTPUTS:
        word = getattr(args, name)
        if word is None or (name == "json" and word == ""):
            continue
        path = paths.local(word, option)
        if path.suffix.lower() not in suffixes:
            raise ExplorerError(
                f"{path.name} has no supported suffix.", f"Use {' or '.join(suffixes)}."
            )
        setattr(args, name, path)
    check_outputs(
        [args.out, args.json or None, args.report],
        [args.data, *_read_in(args.data), *network_files(args)], overwrite=args.overwrite,
    )  # fmt: skip


def _read_in(data: Path) -> list[Path]:
    """The files of annotations in a folder of data."""
    from explorer.evaluation.datasets import coco_files

    return coco_files(data) if os.path.isdir(data) else []


def _spec(args: argparse.Namespace) -> NetworkSpec:
    from explorer.core.network_info import NetworkSpec
    from explorer.evaluation.datasets import likely_task
    from explorer.networks import catalog

    name = network_name(args)
    if name is None and args.weights and args.weights != catalog.NO_WEIGHTS:
        name = ""  # the catalog looks into the file
    elif name is None:
        task = likely_task(args.data)
        entry = catalog.default_for(task)
        if entry is None:
            raise ExplorerError(
                f"No network for {task} is available.",
                "Choose one with --network; `explorer list` names them all.",
            )
        name = entry.name
    if name:
        catalog.check_asked(name)
    return NetworkSpec(name, args.weights, args.device, args.half, class_list(args))


def _other(args: argparse.Namespace, spec: NetworkSpec) -> NetworkSpec | None:
    """The second network; both must be detectors."""
    from explorer.core.network_info import NetworkSpec
    from explorer.evaluation.run import COMPARED
    from explorer.networks import catalog

    if args.compare is None:
        return None
    for name in (args.compare, spec.name):
        if name and catalog.find(name).task != COMPARED:
            raise ExplorerError(
                f"{name} is no detector, and only detectors are compared.",
                "`explorer list networks` names them with their tasks.",
            )
    return NetworkSpec(args.compare, "", args.device, args.half)


def _followed(steps: Generator[Step[Any], Any, None], title: str) -> Report:
    """The last report; that of the moment when Ctrl-C is pressed."""
    report: Report | None = None
    progress = Progress()
    try:
        for step in steps:
            report = step.value
            progress.show(title, step.done, step.total, step.note)
    except KeyboardInterrupt:
        if report is None:
            raise
    finally:
        steps.close()
        progress.clear()
    assert report is not None
    return report


def _tell(report: Report, *, as_json: bool) -> None:
    from explorer.evaluation import report as written

    if as_json:
        say(written.json_of(report).decode("utf-8").rstrip("\n"))
        return
    classes = written.by_class_table(report)
    if classes.rows:
        rows = [classes.columns, *([_cell(value) for value in row] for row in classes.rows)]
        say(table(rows) + "\n")
    both = [report] if report.other is None else [report, report.other]
    for one in both:
        say(f"{one.title} ({one.weights}) on {one.data}")
        if one.figures:
            say(table([
                (key, f"{value:.4f}", written.FIGURES[key]) for key, value in one.figures.items()
            ]))  # fmt: skip
        if errors := written.error_rows(one):
            say(table(errors))
    for sentence in written.sentences(report):
        say(f"  {sentence}")


def _cell(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if value == value else "-"
    return str(value)
