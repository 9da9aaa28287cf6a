"""Long work by name: background jobs of the window, and jobs on whole folders of photos."""

from __future__ import annotations

from explorer.core.jobs import JobStore
from explorer.core.settings import data_folder

KINDS = {
    "evaluation": "explorer.evaluation.background:job",
    "fine_tune": "explorer.training.tuning.background:job",
    "unfreeze": "explorer.training.unfreezing.background:job",
    "folder": "explorer.jobs.background:job",
    "view": "explorer.jobs.viewing:job",
}
"""The kinds of background jobs by name: only these are run, and resumed after a restart. The
function is imported when the first job of its kind runs; see `core.jobs`."""

FOLDER_JOBS = {
    "predict": "explorer.jobs.folder:predict",
    "embed": "explorer.batch.embed:embed",
    "index": "explorer.batch.index.job:index",
    "evaluate": "explorer.evaluation.folder_job:evaluate",
    "render": "explorer.jobs.folder:render",
}
"""By name the function that makes a folder job from its parameters; see `batch.job`."""


def store() -> JobStore:
    """The background jobs of this user, in the data folder."""
    return JobStore(data_folder() / "jobs", KINDS)
