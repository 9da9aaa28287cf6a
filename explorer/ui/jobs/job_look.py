"""A view whose computation is a background job: started, found again, followed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from explorer.core.errors import ExplorerError
from explorer.core.runner import Failure, State, Update
from explorer.engine.answer import Answer, Ask
from explorer.ui.jobs.background import Phase
from explorer.ui.shell.bridge import LOOK

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkSpec
    from explorer.engine.view import View
    from explorer.ui.jobs.background import Background, BackgroundJobs


class JobLook(QObject):
    """Follows the job of what is shown, and passes on its updates as for any other question.

    Signals:
        news: An `Update` whose value is an `engine.answer.Answer` or None.
        paused: The job is paused, or resumed.
    """

    news = Signal(object)
    paused = Signal(bool)

    def __init__(self, jobs: BackgroundJobs, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._asked: tuple[View[Any, Any], NetworkSpec, Any, int] | None = None
        self._wanted: dict[str, Any] = {}
        self._shown = ""
        jobs.changed.connect(self._changed)

    @property
    def job_id(self) -> str:
        """The job that is shown; "" when none is."""
        return self._shown

    def look(
        self, view: View[Any, Any], spec: NetworkSpec, params: Any, seed: int, *, start: bool
    ) -> bool:
        """Follows the job for this question; False when there is none and none was started.

        A job of the same network that is replaced by one with other parameters ends, as a look
        does; that of another network continues.

        Args:
            view: It has a `job`.
            spec: The network.
            params: Of the view.
            seed: For the results.
            start: Where there is no such job, or it has failed, it is started.
        """
        assert view.job is not None
        before, self._asked = self._asked, (view, spec, params, seed)
        try:
            wanted = dict(view.job.params(spec, params))
        except ExplorerError as error:
            self.leave()
            failure = Failure(error.message, error.hint, "", expected=True, about=error.about)
            self.news.emit(Update(LOOK, 0, State.FAILED, None, 0, 0, "", 0.0, 0, failure))
            return True
        found = self._find(view.job.kind, wanted)
        if found is None and not start:
            self._wanted, self._shown = wanted, ""  # an earlier run's job may still be resumed
            return False
        left, self._shown, self._wanted = self._jobs.find(self._shown), "", wanted
        same = before is not None and before[:2] == (view, spec)
        if same and left is not None and left is not found and not left.phase.over:
            self._jobs.cancel(left.job.id)
        if found is None:
            self._shown = self._jobs.start(view.job.kind, self._title(spec, wanted), wanted)
        else:
            self._shown = found.job.id
            if start and found.phase is Phase.FAILED:
                self._jobs.pause(found.job.id, False)
        self._changed(self._shown)
        return True

    def leave(self) -> None:
        """Something else is shown; the job continues."""
        self._asked, self._shown, self._wanted = None, "", {}

    def cancel(self) -> None:
        """Ends the job that is shown; what it has found stays to be read."""
        found, self._shown = self._jobs.find(self._shown), ""
        if found is not None:
            self._jobs.cancel(found.job.id)
            self.news.emit(self._update(found, State.CANCELLED))

    def pause(self, on: bool) -> None:
        if self._jobs.find(self._shown) is not None:
            self._jobs.pause(self._shown, on)

    def forget(self) -> None:
        """What is shown is to be computed again."""
        found = self._jobs.find(self._shown)
        if found is not None and found.phase.over:
            self._shown = ""
            self._jobs.cancel(found.job.id)

    # -- inside -----------------------------------------------------------------------------------

    def _find(self, kind: str, wanted: dict[str, Any]) -> Background | None:
        return next(
            (found for found in reversed(self._jobs.all)
             if found.job.kind == kind and dict(found.job.params) == wanted), None,
        )  # fmt: skip

    def _changed(self, job_id: str) -> None:
        found = self._jobs.find(job_id)
        if self._asked is None:
            return
        if not self._shown and found is not None and self._wanted:
            view = self._asked[0]
            if view.job is not None and self._find(view.job.kind, self._wanted) is found:
                self._shown = job_id  # it was resumed from an earlier run
        if job_id != self._shown:
            return
        if found is None:  # canceled in the list
            self._shown = ""
            self.news.emit(Update(LOOK, 0, State.CANCELLED, None, 0, 0, "", 0.0, 0))
            return
        states = {Phase.DONE: State.DONE, Phase.FAILED: State.FAILED}
        self.news.emit(self._update(found, states.get(found.phase, State.RUNNING)))
        self.paused.emit(found.phase is Phase.PAUSED)

    def _update(self, found: Background, state: State) -> Update:
        answer = None
        if found.value is not None and self._asked is not None:
            view, spec, params, seed = self._asked
            ask = Ask(view, spec, None, params, seed)
            answer = Answer(ask, found.value.info, params, found.value, seconds=found.seconds)
        known = found.share >= 0
        return Update(
            LOOK, 0, state, answer, round(1000 * found.share) if known else 0,
            1000 if known else 0, found.note, found.seconds, 1, found.failure,
        )  # fmt: skip

    @staticmethod
    def _title(spec: NetworkSpec, wanted: dict[str, Any]) -> str:
        from pathlib import Path

        return f"{spec.name or Path(spec.weights).name} on {Path(wanted['data']).name}"
