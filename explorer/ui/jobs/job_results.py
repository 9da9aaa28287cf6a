"""Results of background jobs: shown by their views, or told in a notice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from explorer.core.errors import ExplorerError
from explorer.core.runner import State, Update
from explorer.core.step import Step
from explorer.core.values import FolderRef
from explorer.ui.dialogs.notice import Notice
from explorer.ui.jobs.job_list import VIEW

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from explorer.core.jobs import Job
    from explorer.core.network_info import NetworkSpec
    from explorer.engine.view import View
    from explorer.ui.jobs.background import Background
    from explorer.ui.shell.desk import Desk

EVALUATION = "evaluation"
FIND = "annotated-near"


class JobResults(QObject):
    """From a job to its view and back."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.main)
        self._desk = desk
        self._tried: set[Path] = set()  # places that were found beside a photo once
        desk.jobs.ended.connect(self._ended)

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here."""
        return {"evaluate": self.open_evaluation}

    def view_of(self, kind: str) -> View[Any, Any] | None:
        """The view that shows jobs of this kind."""
        views = self._desk.study.views.values()
        return next((v for v in views if v.job is not None and v.job.kind == kind), None)

    def shows(self, kind: str) -> bool:
        """Jobs of this kind have something to show."""
        return kind == VIEW or self.view_of(kind) is not None

    def show(self, job_id: str) -> None:
        """Shows what a job has found so far, in its view."""
        found = self._desk.jobs.find(job_id)
        if found is None or not self.shows(found.job.kind):
            return
        try:
            view, spec, params = self._asked(found.job)
        except ExplorerError as error:
            self._desk.notices.show_notice(Notice(f"{error.message} {error.hint}", "error"))
            return
        self._desk.study.show(view.name, spec, params)

    def _asked(self, job: Job) -> tuple[View[Any, Any], NetworkSpec, Any]:
        """View, network and parameters of a job of a kind that `shows`.

        Raises:
            ExplorerError: Its parameters cannot be read.
        """
        view = self.view_of(job.kind)
        if view is not None and view.job is not None:
            return (view, *view.job.asked(job.params))
        from explorer.jobs.viewing import asked

        return asked(job.params)

    def open_evaluation(self) -> None:
        """The view; where it has no data yet, it takes the annotations beside the photo."""
        study = self._desk.study
        study.set_view(EVALUATION)
        photo = study.image.path if study.image is not None else None
        if photo is None or study.view is None or study.view.name != EVALUATION:
            return
        if study.params.folder is not None:
            return

        def job() -> Generator[Step[Any], Any, None]:
            from explorer.evaluation.datasets import annotated_near

            yield Step(annotated_near(photo))

        self._desk.bridge.fetch(FIND, lambda _: job(), self._found)

    def _found(self, update: Update) -> None:
        sight, study = update.value, self._desk.study
        if update.state is not State.DONE or sight is None or sight.place in self._tried:
            return
        if study.view is None or study.view.name != EVALUATION or study.params.folder is not None:
            return
        self._tried.add(sight.place)
        entry = study.entry()
        fits = {"detection"} | ({"segmentation"} if "mask" in sight.offers else set())
        spec = study.spec
        if study.ready is not None and (entry is None or entry.task not in fits):
            spec = study.ready.defaults.get("detection", spec)
        if spec is None:
            return
        file = sight.place.suffix.lower() == ".json"
        folder = FolderRef(str(sight.place.parent if file else sight.place))
        params = study.view.Params(folder=folder, annotations=sight.place.name if file else "")
        study.show(EVALUATION, spec, params)

    def _ended(self, job_id: str) -> None:
        found = self._desk.jobs.find(job_id)
        made = found is not None and str(getattr(found.value, "made", ""))
        if found is None or made:
            return  # a network that it has made is told by `Making`
        if job_id != self._desk.study.job_id:
            self._tell(found)

    def _tell(self, found: Background) -> None:
        if not self.shows(found.job.kind):
            return
        view, job = self.view_of(found.job.kind), found.job.title
        if found.failure is not None:
            words = (
                self.tr("{view} failed: {job}. {why}") if view else self.tr("{job} failed. {why}")
            )
            why = found.failure.message
        else:
            words = self.tr("{view} finished: {job}.") if view else self.tr("Finished: {job}.")
            why = ""
        # The title of a view's own computation names the view.
        text = words.format(view=view.title if view else "", job=job, why=why)
        show = ((self.tr("Show"), partial(self.show, found.job.id)),)
        kind = "info" if found.failure is None else "error"
        self._desk.notices.show_notice(Notice(text, kind, "", show))
