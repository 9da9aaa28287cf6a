"""What a view computes of a folder, completed in the background."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from explorer.ui.jobs.folder_jobs import question_of
from explorer.ui.jobs.job_list import VIEW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from explorer.ui.shell.desk import Desk
    from explorer.ui.study.study import Study


class ViewJobs(QObject):
    """Ends what runs and begins it again as a background job: what is kept is not lost."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.main)
        self._desk = desk

    def handlers(self) -> Mapping[str, Callable[..., object]]:
        """The commands that are handled here."""
        return {"background": self.begin}

    def begin(self) -> None:
        study, jobs = self._desk.study, self._desk.jobs
        if not study.can_leave or study.spec is None:
            return
        params = _job_params(study)
        study.cancel()
        if not any(found.job.kind == VIEW and dict(found.job.params) == params
                   and not found.phase.over for found in jobs.all):  # fmt: skip
            jobs.start(VIEW, _title(study), params)
        self._desk.notices.say(
            self.tr("{job} continues in the background. Ctrl+J shows the jobs.").format(
                job=_title(study)
            ),
            seconds=6,
        )


def _job_params(study: Study) -> dict[str, Any]:
    path = None if study.image is None else study.image.path
    return {**question_of(study), "photo": "" if path is None else str(path)}


def _title(study: Study) -> str:
    """The view and its folder."""
    assert study.view is not None
    folder = getattr(study.params, "folder", None)
    if folder is None:
        return study.view.title
    return f"{study.view.title} · {Path(folder.path).name or folder.path}"
