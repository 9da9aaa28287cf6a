"""`explorer batch JOB SOURCE… -o OUT`: a view or features for whole folders; resumes if stopped."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import textwrap
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from explorer.cli import paths
from explorer.cli.arguments import CLASSES_HELP, class_list, network_name, settings, spec_of
from explorer.cli.console import Progress, complain, say
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from explorer.batch.run import BackEnd, Report, Wish
    from explorer.core.network_info import Task

_WIDTH = 78

JOBS = ("predict", "embed", "index", "evaluate", "render")
_OF_VIEWS = ("predict", "render")
_OF_LAYERS = ("embed", "index")

_SHOWN = 5
"""Failures that are printed; the file lists them all."""

SOURCES = (
    "SOURCE is a folder with its subfolders, a pattern in quotes, a list of paths (.txt), a COCO "
    ".json, tar shards in the WebDataset layout (.tar, or 'train-{000..099}.tar'), or an address "
    "that fsspec opens (s3://bucket/photos). OUT is a folder for this job alone. Give the same "
    "command again to resume a job that was stopped: Ctrl+C finishes the chunk first, a second "
    "Ctrl+C does not."
)

EPILOG = f"""\
{textwrap.fill(SOURCES, _WIDTH)}

predict writes coco, coco-polygons, yolo, voc, png (class masks), csv or
parquet; embed npy or parquet; index features (for Similar images) or peaks
(for Top patches); render png, jpg or webp; evaluate, whose SOURCE is a data
set as for `explorer evaluate`, writes report.json and .csv.

examples:
  explorer batch predict photos/ -o boxes/ --view detections --format yolo
  explorer batch embed photos/ -o features/ --network efficientnet-lite0
  explorer batch index photos/ -o index/ --network efficientnet-lite0
  explorer batch index photos/ -o index-2/ --known index/
  explorer batch evaluate coco/instances.json -o metrics/ --network lite-fasterrcnn
  explorer batch render 'photos/**/*.jpg' -o pictures/ --view feature_maps
  explorer batch predict s3://bucket/photos -o boxes/ --cluster tcp://host:8786
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "batch",
        help="run a view or compute features on whole folders; resumes if stopped",
        description=textwrap.fill(
            "Run a view on all photos of a folder, or compute their features, on this machine or "
            "on a Dask cluster. A job that is stopped resumes, and its result does not depend on "
            "how often it was stopped or on the number of workers.", _WIDTH,
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )  # fmt: skip
    parser.add_argument("job", metavar="JOB", choices=JOBS, help=", ".join(JOBS))
    parser.add_argument("sources", metavar="SOURCE", nargs="+", help="photos; see below")
    out = parser.add_argument_group("output")
    out.add_argument("-o", "--out", metavar="OUT", required=True, help="folder of the result")
    out.add_argument("--format", metavar="NAME", help="format of the result; see below")
    what = parser.add_argument_group("settings")
    what.add_argument("--view", metavar="NAME", help="view of predict and render")
    what.add_argument("--network", help="name of the network (default: one that ships)")
    what.add_argument(
        "--weights", default="",
        help="name of the weights, none (random weights), or path of a checkpoint",
    )  # fmt: skip
    what.add_argument("--classes", metavar="FILE", help=CLASSES_HELP)
    what.add_argument(
        "--set", metavar="NAME=VALUE", action="append", default=[], dest="settings",
        help="a parameter of the view; may be repeated",
    )  # fmt: skip
    what.add_argument(
        "--layer", metavar="NAME",
        help="layer of embed and index (default: the input of the head)",
    )  # fmt: skip
    what.add_argument(
        "--known", metavar="OUT",
        help="index: an earlier index; only photos that are new or were replaced are computed",
    )  # fmt: skip
    what.add_argument("--whole", action="store_true", help="embed: no mean over the positions")
    what.add_argument("--images", metavar="DIR", help="evaluate: folder of the annotated photos")
    what.add_argument(
        "--eleven-point", action="store_true", help="evaluate: also the 11-point AP of VOC"
    )
    what.add_argument("--width", type=int, metavar="PX", help="render: width of the pictures")
    what.add_argument("--theme", choices=("light", "dark"), default="light", help="render: colors")
    what.add_argument("--pane", metavar="NAME", help="render: only this pane")
    what.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    how = parser.add_argument_group("how it is computed")
    how.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps…")
    how.add_argument("--half", action="store_true", help="half precision where available")
    how.add_argument(
        "--batch", type=int, default=1, metavar="N",
        help="photos of one size that go through the network together (default: 1, whose results "
        "equal the window's; others may differ in the last bit)",
    )  # fmt: skip
    how.add_argument(
        "--chunk", type=int, default=0, metavar="N",
        help="photos per file of intermediate results (default: 16 to 128, by job)",
    )  # fmt: skip
    how.add_argument("--limit", type=int, default=0, metavar="K", help="only the first K photos")
    how.add_argument(
        "--retry", action="store_true", help="try photos again that failed in an earlier run"
    )
    how.add_argument("--threads", type=int, default=0, metavar="N", help="threads of the network")
    how.add_argument(
        "--decoders", type=int, default=0, metavar="N", help="threads that decode (default: 2 to 8)"
    )
    how.add_argument(
        "--cluster", metavar="ADDRESS",
        help="a Dask scheduler (tcp://HOST:8786, tls://…), or local:N for N processes here",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace) -> int:
    """Do the job; 0 = all photos, 2 = at least one failed, 130 = stopped."""
    _check(args)
    wish = _wish(args)
    back_end = _back_end(args)
    progress = Progress()
    report: Report | None = None
    from explorer.batch.run import run as steps_of

    with _finishing() as stopped:
        steps = steps_of(wish, back_end, stopped=stopped)
        try:
            for step in steps:
                report = step.value
                note = "stopping after this chunk" if stopped() else step.note
                progress.show(args.job, step.done, step.total, note)
        finally:
            steps.close()
            progress.clear()
    assert report is not None
    return _tell(report, wish)


def _check(args: argparse.Namespace) -> None:
    for option, least, most in (
        ("batch", 1, 4096), ("chunk", 0, 1_000_000), ("limit", 0, 10**12), ("threads", 0, 1024),
        ("decoders", 0, 256),
    ):  # fmt: skip
        value = getattr(args, option)
        if not least <= value <= most:
            raise ExplorerError(
                f"--{option} {value} is out of range.", f"It takes {least} to {most}."
            )
    if args.width is not None and not 160 <= args.width <= 16_000:
        raise ExplorerError(f"--width {args.width} is out of range.", "It takes 160 to 16000.")
    if args.job == "evaluate" and (len(args.sources) > 1 or args.format):
        raise ExplorerError("evaluate takes one data set and no format.", "It writes JSON and CSV.")
    if args.job != "evaluate" and (args.images or args.eleven_point):
        raise ExplorerError(f"{args.job} takes no ground truth.", "Leave out its options.")
    if args.job not in _OF_LAYERS and (args.layer or args.whole):
        raise ExplorerError(f"{args.job} takes no layer.", "Leave --layer and --whole out.")
    if args.job != "embed" and args.whole:
        raise ExplorerError(f"{args.job} does not take --whole.", "embed does.")
    if args.job != "index" and args.known:
        raise ExplorerError(f"{args.job} does not take --known.", "index does.")
    if args.job not in _OF_VIEWS and (args.view or args.settings):
        raise ExplorerError(f"{args.job} takes no view.", "Leave --view and --set out.")
    if args.job in _OF_VIEWS and not args.view:
        raise ExplorerError(f"{args.job} needs a view.", "`explorer list views` names them.")


def _wish(args: argparse.Namespace) -> Wish:
    from explorer.batch.job import Recipe
    from explorer.batch.run import Wish
    from explorer.jobs import FOLDER_JOBS

    params: dict[str, Any] = {"threads": args.threads, "format": args.format}
    if args.job in _OF_LAYERS:
        params |= {"spec": _spec(args, "classification"), "layer": args.layer or ""}
        if args.job == "embed":
            params["whole"] = args.whole
        elif args.known:
            params["known"] = str(paths.local(args.known, "--known").absolute())
    elif args.job == "evaluate":
        params = {"threads": args.threads, **_evaluation(args)}
    else:
        from explorer import views

        view = views.find(args.view)
        spec = spec_of(args, view)
        params |= {
            "view": view.name,
            "set": settings(args.settings, view),
            "seed": args.seed,
            "spec": None if spec is None else asdict(spec),
        }
    if args.job == "render":
        params |= {"width": args.width or 0, "theme": args.theme, "pane": args.pane}
    sources = tuple(_source(word) for word in args.sources)
    out = paths.local(args.out, "-o")
    recipe = Recipe(FOLDER_JOBS[args.job], params)
    limit = 0 if args.job == "evaluate" else args.limit  # there, a part is drawn at random
    return Wish(recipe, sources, out, args.batch, args.chunk, limit, args.retry)


def _source(word: str) -> str:
    return word if "://" in word else str(paths.local(word, "SOURCE"))


def _evaluation(args: argparse.Namespace) -> dict[str, Any]:
    from explorer.evaluation.datasets import likely_task

    data = paths.existing(args.sources[0], "SOURCE")
    images = paths.existing(args.images, "--images") if args.images else None
    return {
        "spec": _spec(args, likely_task(data)),
        "data": str(data.absolute()),
        "images": None if images is None else str(images.absolute()),
        "limit": args.limit,
        "eleven_point": args.eleven_point,
    }


def _spec(args: argparse.Namespace, task: Task) -> dict[str, Any]:
    """The network that was asked for, else the usual one for the task."""
    from explorer.core.network_info import NetworkSpec
    from explorer.networks import catalog

    name = network_name(args)
    if name is None and (not args.weights or args.weights == catalog.NO_WEIGHTS):
        entry = catalog.default_for(task)
        if entry is None:
            raise ExplorerError(
                f"No network for {task} is available.", "Choose one with --network."
            )
        name = entry.name
    if name:
        catalog.check_asked(name)
    spec = NetworkSpec(name or "", args.weights, args.device, args.half, class_list(args))
    return asdict(spec)


def _back_end(args: argparse.Namespace) -> BackEnd:
    from explorer.batch.run import Local, usual_decoders

    decoders = args.decoders or usual_decoders()
    if args.cluster is None:
        return Local(decoders)
    from explorer.batch.cluster import Cluster

    return Cluster(args.cluster, decoders)


@contextlib.contextmanager
def _finishing() -> Iterator[Callable[[], bool]]:
    """The first Ctrl+C asks for an end at the next good moment, the second is one at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set
        return

    def handle(number: int, frame: Any) -> None:
        if stop.is_set():
            signal.default_int_handler(number, frame)
        stop.set()
        complain("finishing the chunk; Ctrl+C again ends at once")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(report: Report, wish: Wish) -> int:
    for note in report.notes:
        complain(note)
    if not report.complete:
        complain(
            f"stopped after {quantity(report.done, 'photo')}; the same command resumes the job."
        )
        return 130
    for name, reason, _ in report.failures[:_SHOWN]:
        complain(reason if os.path.basename(name) in reason else f"{name}: {reason}")
    failed = report.failed
    if failed > _SHOWN:
        complain(f"and {failed - _SHOWN:,} more: {wish.out / 'failures.csv'}")
    for name in report.outputs:
        say(str(wish.out / name))
    rate = f", {report.rate:,.3g} photos/s" if report.rate else ""
    say(f"{quantity(report.done, 'photo')}, {failed:,} failed{rate}")
    return 2 if failed or _unread(report) else 0


def _unread(report: Report) -> bool:
    return any("cannot be read" in note for note in report.notes)
