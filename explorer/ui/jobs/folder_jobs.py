"""Work on whole folders: asked for, started as a background job, its result opened."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from explorer.annotations.truth import truth_names
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.network_info import NetworkSpec
from explorer.core.param_forms import params_text
from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.engine.references import named
from explorer.ui.dialogs.notice import Notice
from explorer.ui.jobs.folder_row import BOXES, EVALUATE, GROUND_TRUTH, OPEN, RETRY, TRUTH
from explorer.ui.jobs.folder_sheet import FolderResult, FolderSheet
from explorer.ui.jobs.job_list import FOLDER
from explorer.ui.jobs.job_results import EVALUATION

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from explorer.engine.finish import FinishedAnswer
    from explorer.ui.jobs.background import Background
    from explorer.ui.shell.desk import Desk
    from explorer.ui.study.study import Study


LIST = "list-folder"


class FolderJobs(QObject):
    """See the module.

    Attributes:
        sheet: The one that was opened last, or None.

    Signals:
        photo_wanted: A file and the name of a view: that photo is to be shown.
        photos_found: Those of a job, for the strip.
        first_wanted: A photo of them: it is to be shown.
        truth_wanted: A folder of results and one of photos: the boxes are these photos' truth.
    """

    photo_wanted = Signal(str, str)
    photos_found = Signal(object)
    first_wanted = Signal(str)
    truth_wanted = Signal(str, str)

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.main)
        self._desk = desk
        self.sheet: FolderSheet | None = None
        desk.jobs.ended.connect(self._ended)

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here."""
        return {"run_folder": self.ask}

    # -- a new one --------------------------------------------------------------------------------

    def ask(self) -> None:
        """What is shown, for a whole folder: asks what, from where, where to and how many."""
        study, finished = self._desk.study, self._desk.study.finished
        if finished is None or not runs_on_folders(study):
            self._say(self.tr("This view shows nothing that could be computed for a folder."))
            return
        try:
            wanted = named(finished.view, study.params, finished.answer.info)
        except ExplorerError as error:
            self._say(f"{error.message} {error.hint}".strip())
            return
        if wanted.networks or wanted.images:
            words = self.tr("{view} takes another network or photo: choose another view.")
            self._say(words.format(view=finished.view.title))
            return
        info, image = finished.answer.info, study.image
        parts = (finished.view.title, info.title if info is not None else "")
        subject = " · ".join(part for part in parts if part)
        near = image.path.parent if image is not None and image.path is not None else None
        self.sheet = FolderSheet(
            self._desk.main, self.tr("{what}, with the current settings.").format(what=subject),
            results_of(finished), "" if near is None else str(near),
            partial(_place, finished.view.name), self._remark,
        )  # fmt: skip
        # What is shown may change while the sheet is open: what was asked for is taken now.
        params = question_of(study)
        self.sheet.accepted.connect(partial(self._start, finished.view.title, params))
        self.sheet.closed.connect(self.sheet.deleteLater)
        self.sheet.open(self.sheet.photos.field if near is None else self.sheet.begin)

    def _start(
        self, view: str, params: dict[str, Any], result: FolderResult, photos: str, out: str,
        limit: int,
    ) -> None:  # fmt: skip
        from explorer.batch.job import Recipe
        from explorer.batch.run import Wish
        from explorer.jobs import FOLDER_JOBS
        from explorer.jobs.background import params_of

        recipe = Recipe(FOLDER_JOBS[result.job], {**params, "format": result.format, "threads": 0})
        source = photos if "://" in photos else os.path.abspath(photos)
        wish = Wish(recipe, (source,), Path(os.path.abspath(out)), limit=limit)
        title = self.tr("{view} on {folder}").format(view=view, folder=Path(photos).name or photos)
        self._desk.jobs.start(FOLDER, title, params_of(result.job, wish))
        self._say(self.tr("Started: {job}. Ctrl+J shows the jobs.").format(job=title))

    def _remark(self, photos: str, out: str) -> tuple[str, bool]:
        """What is to be said before the start, and whether it is possible."""
        if not photos:
            return self.tr("Choose the folder of the photos."), False
        if not (os.path.exists(photos) or any(mark in photos for mark in ("*", "?", "{", "://"))):
            return self.tr("{folder} does not exist.").format(folder=photos), False
        if not out:
            return self.tr("Choose a folder for the result."), False
        from explorer.batch.run import check_place
        from explorer.batch.store import MANIFEST

        try:
            check_place(Path(out), (photos,))
        except ExplorerError as error:
            return f"{error.message} {error.hint}".strip(), False
        if os.path.exists(os.path.join(out, MANIFEST)):
            words = self.tr("There is a job in this folder: with equal settings it is resumed.")
            return words, True
        if os.path.isfile(out) or (os.path.isdir(out) and os.listdir(out)):
            return self.tr("The folder of the result is not empty: choose a new one."), False
        return "", True

    # -- one that runs, or has ended --------------------------------------------------------------

    def act(self, job_id: str, what: str) -> None:
        """Does what a button of the list asks for."""
        found = self._desk.jobs.find(job_id)
        if found is None:
            return
        out = Path(found.job.params["out"])
        if what == OPEN:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(out)))
        elif what == RETRY:
            self._desk.jobs.cancel(job_id)  # it is done: the list alone has it
            self._desk.jobs.start(FOLDER, found.job.title, {**found.job.params, "retry": True})
        elif what == EVALUATE:
            self._evaluate(found, out)
        elif what == TRUTH and (folder := self._photos(found)):
            self.truth_wanted.emit(str(out), folder)
            self._list(folder, {address for _, _, address in found.value.failures})

    def open_photo(self, job_id: str, path: str) -> None:
        """Shows a photo that failed, with the view of the job."""
        found = self._desk.jobs.find(job_id)
        view = "" if found is None else found.job.params["params"].get("view", "")
        self.photo_wanted.emit(path, view)

    def _list(self, folder: str, failures: set[str]) -> None:
        """Puts the photos that have a result into the strip."""

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.images.sources import expand

            yield Step((folder, [p for p in expand([folder], recursive=True)
                                 if str(p) not in failures]))  # fmt: skip

        self._desk.bridge.fetch(LIST, lambda _: job(), self._listed)

    def _listed(self, update: Update) -> None:
        if update.state is not State.DONE:
            return
        folder, photos = update.value
        self.photos_found.emit(photos)
        image = self._desk.study.image
        shown = image.path if image is not None else None
        if photos and (shown is None or Path(folder) not in shown.parents):
            self.first_wanted.emit(str(photos[0]))

    def _evaluate(self, found: Background, out: Path) -> None:
        study = self._desk.study
        outputs = GROUND_TRUTH.intersection(found.value.outputs)
        view = study.views.get(EVALUATION)
        spec = found.job.params["params"].get("spec")
        if view is None or not outputs or spec is None:
            return
        (name,) = outputs
        file = name.endswith(".json")
        folder = self._photos(found)
        params = view.Params(
            folder=FolderRef(str(out if file else out / name)), annotations=name if file else "",
            images=FolderRef(folder) if folder else None,
        )  # fmt: skip
        made = NetworkSpec(**spec)
        entry, own = study.entry(), study.entry(made)
        same = entry is not None and own is not None and entry.task == own.task
        study.show(EVALUATION, study.spec if same and study.spec is not None else made, params)

    @staticmethod
    def _photos(found: Background) -> str:
        """The folder of its photos; "" where they are not on this machine."""
        source = str(found.job.params["sources"][0])
        if "://" in source:
            return ""
        while not os.path.isdir(source) and source != os.path.dirname(source):
            source = os.path.dirname(source)  # of a list, a pattern, a file of annotations
        return source

    def _ended(self, job_id: str) -> None:
        found = self._desk.jobs.find(job_id)
        if found is None or found.job.kind != FOLDER:
            return
        title, report = found.job.title, found.value
        if found.failure is not None:
            words = self.tr("{job} failed: {why}").format(job=title, why=found.failure.message)
            self._desk.notices.show_notice(
                Notice(f"{words} {found.failure.hint}".strip(), "error", found.failure.details)
            )
            return
        counts = quantity(report.done, "photo")
        if report.failed:
            counts += f", {report.failed:,} failed"
        ways = [(self.tr("Open folder"), partial(self.act, job_id, OPEN))]
        if BOXES.intersection(report.outputs):
            ways.append((self.tr("Use as ground truth"), partial(self.act, job_id, TRUTH)))
        words = self.tr("{job} finished: {counts}.").format(job=title, counts=counts)
        self._desk.notices.show_notice(Notice(words, "info", "", tuple(ways)))

    def _say(self, words: str) -> None:
        self._desk.notices.say(words, seconds=6)


def question_of(study: Study) -> dict[str, Any]:
    """What is shown, as JSON has it: view, parameters that are not of this photo alone, network."""
    assert study.view is not None
    own = set(truth_names(study.view.Params).values())  # what is in this photo alone
    pairs = (text.split("=", 1) for text in params_text(study.params))
    return {
        "view": study.view.name,
        "set": {name: value for name, value in pairs if name not in own},
        "seed": study.seed,
        "spec": None if study.spec is None else asdict(study.spec),
    }


def runs_on_folders(study: Study) -> bool:
    """Whether there is a result of a view that a folder job can compute."""
    view = study.view
    return study.board is not None and view is not None and view.needs.photo and view.job is None


def results_of(finished: FinishedAnswer) -> list[FolderResult]:
    """What a folder job can give of a view, by what the view has given of this photo."""
    info, boxes = finished.answer.info, finished.boxes
    found: list[FolderResult] = []
    if boxes is not None:
        found.append(FolderResult("Boxes: COCO", "predict", "coco"))
        if boxes.outlines:
            found.append(FolderResult("Boxes and polygons: COCO", "predict", "coco-polygons"))
        if info is not None and info.classes and info.task != "classification":
            found.append(FolderResult("Boxes: YOLO", "predict", "yolo"))
        found.append(FolderResult("Boxes: Pascal VOC", "predict", "voc"))
    if finished.mask is not None:
        found.append(FolderResult("Class masks: indexed PNG", "predict", "png"))
    if boxes is not None or finished.bare.tables:
        found.append(FolderResult("Table: CSV", "predict", "csv"))
        if find_spec("pyarrow") is not None:
            found.append(FolderResult("Table: Parquet", "predict", "parquet"))
    found.append(FolderResult("Pictures of the view: PNG", "render", "png"))
    return found


def _place(view: str, photos: str, result: FolderResult) -> str:
    """A folder beside that of the photos."""
    kind = "pictures" if result.job == "render" else result.format
    near = Path(photos.split("://")[-1].split("*")[0].rstrip("/\\") or ".").absolute()
    return str(near.with_name(f"{near.name}-{view}-{kind}"))
