"""The kinds of background jobs that there are: only these are run, and resumed after a restart."""

from __future__ import annotations

from explorer.core.jobs import JobStore
from explorer.core.settings import data_folder

KINDS = {
    "evaluation": "explorer.evaluation.background:job",
    "fine_tune": "explorer.training.tuning.background:job",
}
"""By name the function, which is imported when the first job of its kind runs; see `core.jobs`."""


def store() -> JobStore:
    """The jobs of this user, in the data folder."""
    return JobStore(data_folder() / "jobs", KINDS)
