"""The rest of a view's computation as a background job; what it keeps on the disk is then there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.core.step import Step
from explorer.engine.answer import Ask
from explorer.engine.question import params_of
from explorer.views import find

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.core.jobs import Work
    from explorer.engine.view import View

KIND = "view"
"""Of the job, see `explorer.jobs.KINDS`."""


def job(work: Work, params: Mapping[str, Any]) -> Generator[Step[None], Any, None]:
    """Computes the view to its end; `work.host` is the engine.

    Args:
        work: See `core.jobs.Work`; nothing is kept here, the view resumes by itself.
        params: `view`, `spec` (as a dict), `set` (texts by the parameters' names), `seed`, and
            `photo`: its path, "" = a sample, as what is kept does not depend on it.

    Raises:
        ExplorerError: As `Engine.steps`; parameters that describe no question.
    """
    view, spec, values = asked(params)
    steps = work.host.steps(
        Ask(view, spec, _photo(str(params.get("photo", ""))), values, int(params.get("seed", 0))),
        work.token,
    )
    try:
        for step in steps:
            yield Step(None, step.done, step.total, step.note)
    finally:
        steps.close()


def asked(params: Mapping[str, Any]) -> tuple[View[Any, Any], NetworkSpec, Any]:
    """The view, the network and the view's parameters of a job.

    Raises:
        ExplorerError: The values are not those of such a job, or there is no such view.
    """
    try:
        view = find(str(params["view"]))
        return view, NetworkSpec(**params["spec"]), params_of(view, dict(params["set"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ExplorerError(
            "The settings of this job cannot be read.", "Start it again from its view."
        ) from error


def _photo(path: str) -> Any:
    from explorer.images.image import open_image
    from explorer.images.samples import gallery

    return open_image(path) if path else gallery()[0].load()
