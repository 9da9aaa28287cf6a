"""`explorer train NETWORK --data FOLDER`: fine-tuning on the command line."""

from __future__ import annotations

import os
import sys
import time
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.jobs import Job, JobStore
from explorer.core.listing import quantity
from explorer.core.network_info import NetworkSpec
from explorer.core.runner import Token
from explorer.core.settings import data_folder
from explorer.engine.progress import Progress, write
from explorer.training.tuning.background import KIND
from explorer.training.tuning.wish import Wish, identity, params_of, wish_of

if TYPE_CHECKING:
    import argparse

    from explorer.training.threads import ThreadPilot
    from explorer.training.tuning.report import Report

KINDS = {KIND: "explorer.training.tuning.background:job"}

_LESSONS_OWN = ("epochs", "backbone", "export", "coco", "voc", "joints")
"""Options that mean nothing here."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of a fine-tuning that a lesson has not."""
    from explorer.training.tuning import wish
    from explorer.training.tuning.trainer import FROZEN

    group = parser.add_argument_group(
        "fine-tuning",
        "trains a lite detector on the classes of your own photos: --data is a folder of photos "
        "with COCO, Pascal VOC or YOLO annotations",
    )
    group.add_argument(
        "--rate", type=float, default=wish.RATE, help=f"learning rate (by default {wish.RATE:g})"
    )
    group.add_argument("--frozen", choices=FROZEN, default=FROZEN[0], help="what keeps its weights")
    group.add_argument(
        "--held-out", type=float, default=wish.HELD_OUT, metavar="FRACTION",
        help="part of the photos that AP50 is measured on, where the folder has no val",
    )  # fmt: skip
    group.add_argument(
        "--steps", type=int, default=0, help="end after this many steps instead of by time"
    )


def run(args: argparse.Namespace) -> int:
    """Trains; 0 = the network is in the catalog, 130 = interrupted (the same command resumes)."""
    import torch

    from explorer.engine.engine import Engine
    from explorer.networks import catalog
    from explorer.training.threads import ThreadPilot

    wish = _wish(args)
    catalog.find(wish.spec.name)
    most = torch.get_num_threads()
    if args.threads:
        torch.set_num_threads(args.threads)
    store = JobStore(args.out or data_folder() / "trainings", KINDS)
    job = Job(identity(wish), KIND, f"{wish.spec.name} on {wish.data.name}", params_of(wish))
    if args.fresh:
        store.remove(job)
    elif store.state(job) is not None:
        _say("Resuming from the last checkpoint; --fresh starts over.")
    # Sums are rounded another way with other threads: equal steps are to give equal weights.
    fixed = args.threads or args.steps or torch.cuda.is_available()
    pilot = None if fixed else ThreadPilot(most)
    steps = store.steps(job, Engine(), Token(), lambda: True)
    try:
        report = _followed(steps, job.title, pilot)
    except KeyboardInterrupt:
        write(sys.stderr, "explorer: interrupted; give the same command again to resume.\n")
        return 130
    finally:
        steps.close()
        store.close()
        torch.set_num_threads(most)
    _tell(report)
    return 0


def _wish(args: argparse.Namespace) -> Wish:
    """What the arguments ask for.

    Raises:
        ExplorerError: Something is not there, out of range, or an option of a lesson.
    """
    given = [name for name in _LESSONS_OWN if getattr(args, name) is not None]
    if given:
        raise ExplorerError(
            f"--{given[0]} does not apply to fine-tuning.",
            "Leave it out, or train as the network that ships was trained: --lesson.",
        )
    from explorer.training.tuning import wish

    limits = (
        ("minutes", wish.LEAST_MINUTES, wish.MOST_MINUTES),
        ("rate", wish.LEAST_RATE, wish.MOST_RATE),
        ("held_out", 0.0, wish.MOST_HELD_OUT), ("steps", 0, 1_000_000),
        ("seed", 0, 2**31 - 1),
    )  # fmt: skip
    for name, low, high in limits:
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            option = name.replace("_", "-")
            raise ExplorerError(
                f"--{option} {value:g} is out of range.", f"It takes {low:g} to {high:g}."
            )
    data = Path(os.path.abspath(Path(args.data).expanduser()))
    found = Wish(
        NetworkSpec(args.name, "", args.device), data, args.minutes or wish.MINUTES, args.rate,
        args.frozen, args.held_out, args.seed, args.steps,
    )  # fmt: skip
    return wish_of(params_of(found))


def _followed(steps: Any, title: str, pilot: ThreadPilot | None) -> Report:
    progress, measured = Progress(), 0
    report: Report | None = None
    try:
        while True:
            began = time.perf_counter()
            step = next(steps, None)
            if step is None:
                break
            if pilot is not None and report is not None:
                pilot.add(time.perf_counter() - began)
            report = step.value or report
            progress.show(title, step.done, step.total, step.note)
            if report is not None and len(report.curve) > measured:
                measured = len(report.curve)
                progress.clear()
                _say(f"{report.seconds / 60:.1f} min, {report.steps} steps: {report.headline()}")
    finally:
        progress.clear()
    assert report is not None
    return report


def _tell(report: Report) -> None:
    for note in report.notes:
        _say(note)
    for entry in report.classes:
        row = f"row of {entry.known_as}" if entry.known_as else "new row"
        figures = " -> ".join(
            "-" if isnan(value) else f"{value:.3f}" for value in (entry.before, entry.now)
        )
        _say(f"{entry.name}: {row}, {quantity(entry.boxes, 'box', 'boxes')}, AP50 {figures}")
    _say(f"{report.made_title}: {report.headline() or 'no photo is held out'}")
    _say(str(data_folder() / "networks" / f"{report.made}.safetensors"))
    _say(f"Use it: explorer render detections PHOTO --network {report.made} -o out.png")


def _say(text: str) -> None:
    write(sys.stdout, f"{text}\n")
