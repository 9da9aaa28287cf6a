"""A fine-tuning as a background job; at its end the network joins the catalog."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.step import Step
from explorer.engine.engine import is_oom
from explorer.networks import catalog
from explorer.training.tuning.run import tune
from explorer.training.tuning.wish import wish_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from explorer.core.jobs import Work
    from explorer.core.network_info import NetworkSpec
    from explorer.networks.made import NewNetwork
    from explorer.networks.network import Network
    from explorer.training.tuning.report import Report

KIND = "fine_tune"
"""Of the job, see `explorer.jobs`."""


def job(work: Work, params: Mapping[str, Any]) -> Generator[Step[Report | None], Any, None]:
    """The fine-tuning that `params` describes; `work.host` is the engine.

    Raises:
        ExplorerError: As `run.tune`; parameters that describe none; too little memory.
    """
    wish = wish_of(params)
    yield from trained(work, wish.spec, lambda network: tune(wish, network, work))


def trained(
    work: Work, spec: NetworkSpec, train: Callable[[Network], Generator[Step[Any], Any, NewNetwork]]
) -> Generator[Step[Any], Any, None]:
    """Any training as a background job: its steps, and the network that joins the catalog.

    Args:
        work: See `core.jobs.Work`; its host is the engine.
        spec: The network that is trained.
        train: From the network to the steps of its training. Their values are dataclasses with
            the fields `made` and `made_title`.

    Raises:
        ExplorerError: As `train`; too little memory.
    """
    network = yield from work.host.network(spec)
    try:
        yield from kept(train(network))
    except (RuntimeError, MemoryError) as error:
        if not is_oom(error):
            raise
    else:
        return
    raise ExplorerError(  # outside the except: the traceback holds the tensors
        "There is not enough memory for this training.", "Close other programs or use the CPU."
    )


def kept(
    steps: Generator[Step[Any], Any, NewNetwork],
) -> Generator[Step[Any], Any, None]:
    """The steps of a training, and one more once its network is in the catalog.

    Raises:
        ExplorerError: It cannot be written.
    """
    report: Any = None
    try:
        while True:
            step = next(steps)
            report = step.value
            yield step
    except StopIteration as end:
        new: NewNetwork = end.value
    finally:
        steps.close()
    assert report is not None
    name = catalog.keep(new)
    yield Step(replace(report, made=name, made_title=new.title), 1000, 1000, new.title)
