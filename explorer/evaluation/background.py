"""An evaluation as a background job: its parameters as plain values, its state in a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.evaluation.run import Wish, fulfill

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from explorer.core.jobs import Work
    from explorer.core.step import Step

KIND = "evaluation"
"""Of the job, see `explorer.jobs`."""


def job(work: Work, params: Mapping[str, Any]) -> Generator[Step[Any], Any, None]:
    """The evaluation that `params` describes; `work.host` is the engine.

    Raises:
        ExplorerError: As `run.fulfill`; parameters that describe none.
    """
    return fulfill(wish_of(params), work.host, lambda: work.token.cancelled, work)


def params_of(wish: Wish) -> dict[str, Any]:
    """`wish` as JSON has it."""
    return {
        **asdict(wish),
        "data": str(wish.data),
        "images": None if wish.images is None else str(wish.images),
    }


def wish_of(params: Mapping[str, Any]) -> Wish:
    """The inverse of `params_of`.

    Raises:
        ExplorerError: The values are not those of an evaluation.
    """
    try:
        spec = NetworkSpec(**params["spec"])
        images = params["images"]
        return Wish(
            spec,
            Path(params["data"]),
            None if images is None else Path(images),
            int(params["limit"]),
            bool(params["eleven_point"]),
            NetworkSpec(**params["other"]) if params.get("other") else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ExplorerError(
            "The settings of this evaluation cannot be read.", "Start it again."
        ) from error
