"""A folder job as a background job of the window: its parameters as plain values.

Its state is the folder of its result, so that `explorer batch` resumes what the window has begun,
and the reverse.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.batch.job import Recipe
from explorer.batch.run import Local, Wish, run, usual_decoders
from explorer.core.errors import ExplorerError
from explorer.jobs import FOLDER_JOBS

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.batch.run import Report
    from explorer.core.jobs import Work
    from explorer.core.step import Step

KIND = "folder"
"""Of the job, see `explorer.jobs.KINDS`."""


def job(_work: Work, params: Mapping[str, Any]) -> Generator[Step[Report], Any, None]:
    """The folder job that `params` describes.

    Raises:
        ExplorerError: As `batch.run.run`; parameters that describe none.
    """
    return run(wish_of(params), Local(usual_decoders()))


def params_of(name: str, wish: Wish) -> dict[str, Any]:
    """`wish` as JSON has it; `name` is that of its job in `FOLDER_JOBS`."""
    return {
        "job": name,
        "params": dict(wish.recipe.params),
        "sources": list(wish.sources),
        "out": str(wish.out),
        "limit": wish.limit,
        "retry": wish.retry,
    }


def wish_of(params: Mapping[str, Any]) -> Wish:
    """The inverse of `params_of`.

    Raises:
        ExplorerError: The values are not those of a folder job.
    """
    try:
        recipe = Recipe(FOLDER_JOBS[params["job"]], dict(params["params"]))
        return Wish(
            recipe, tuple(map(str, params["sources"])), Path(params["out"]),
            limit=int(params["limit"]), retry=bool(params["retry"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise ExplorerError(
            "The settings of this job cannot be read.", "Start it again."
        ) from error
