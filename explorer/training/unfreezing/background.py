"""A comparison as a background job; at its end the fine-tuned network joins the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from explorer.training.tuning.background import trained
from explorer.training.unfreezing.run import compare
from explorer.training.unfreezing.wish import wish_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.core.jobs import Work
    from explorer.core.step import Step

KIND = "unfreeze"
"""Of the job, see `explorer.jobs`."""


def job(work: Work, params: Mapping[str, Any]) -> Generator[Step[Any], Any, None]:
    """The comparison that `params` describes; `work.host` is the engine.

    Raises:
        ExplorerError: As `run.compare`; parameters that describe none; too little memory.
    """
    wish = wish_of(params)
    yield from trained(work, wish.spec, lambda network: compare(wish, network, work))
