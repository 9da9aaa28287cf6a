"""A job without a network for the tests, and a program that runs it, to be killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from explorer.batch.cluster import Cluster
from explorer.batch.job import EndsJob, Recipe, Row
from explorer.batch.outputs import csv_file
from explorer.batch.photos import Photo
from explorer.batch.run import Local, Report, Wish, run
from explorer.core.errors import ExplorerError

MAKE = "tests.batch.standin:digests"


def digests(params: Mapping[str, Any]) -> Digests:
    return Digests(params)


class Digests:
    """The digest of each photo's name, and the size of the batch that it was in."""

    chunk = 8

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = dict(params)
        self.batches: list[list[str]] = []

    def settings(self) -> Mapping[str, Any]:
        return {name: value for name, value in self._params.items() if name in ("gain",)}

    def load(self, photo: Photo) -> str:
        if "broken" in photo.name:
            raise ExplorerError(f"{photo.name} is broken.")
        return photo.name

    def alike(self, item: str) -> Any:
        return None if "alone" in item else Path(item).suffix

    def compute(self, items: Sequence[str]) -> Sequence[Row]:
        time.sleep(self._params.get("seconds", 0.0))
        self.batches.append(list(items))
        mark = self._params.get("dies_once")
        if mark and any("p33." in item for item in items) and not Path(mark).exists():
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if any("fatal" in item for item in items):
            raise EndsJob("Nothing can be computed.")
        if any("odd" in item for item in items):
            raise ExplorerError("It is odd.")
        return [
            Row(
                {"batch": len(items)},
                {"digest": np.frombuffer(hashlib.sha256(item.encode()).digest(), np.uint8)},
            )
            for item in items
        ]

    def merge(self, rows: Callable[[], Iterator[Row]], out: Path) -> Sequence[str]:
        with csv_file(out / "digests.csv") as write:
            for row in rows():
                if not row.reason:
                    digest = row.arrays["digest"].tobytes().hex()
                    write((row.name, row.id, digest, row.content["batch"]))
            time.sleep(5 * self._params.get("seconds", 0.0))  # to be killed here, too
        return ("digests.csv",)


def done(wish: Wish, **more: Any) -> Report:
    """The last report."""
    report = Report()
    for step in run(wish, Local(2), **more):
        report = step.value
    return report


def main(source: str, out: str, params: str, cluster: str = "") -> None:
    wish = Wish(Recipe(MAKE, json.loads(params)), (source,), Path(out), batch=3)
    print("begun", flush=True)
    report = Report()
    for step in run(wish, Cluster(cluster, 1) if cluster else Local(2)):
        report = step.value
    assert report.complete


if __name__ == "__main__":
    main(*sys.argv[1:])
