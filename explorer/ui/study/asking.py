"""Where a question goes: to the engine, to the frames of a source, or to a background job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explorer.ui.shell.bridge import LOOK

if TYPE_CHECKING:
    from explorer.engine.answer import Answer
    from explorer.engine.view import Action
    from explorer.ui.jobs.job_look import JobLook
    from explorer.ui.shell.bridge import Bridge, Receiver
    from explorer.ui.study.choice import Choice


class Asking:
    """Asks about a choice; there is one question at a time, and the newest replaces it.

    Args:
        bridge: To the workers.
        receiver: Gets the news of every question.
    """

    def __init__(self, bridge: Bridge, receiver: Receiver) -> None:
        self._bridge, self._receiver = bridge, receiver
        self._job_look: JobLook | None = None

    def follow_jobs(self, job_look: JobLook) -> None:
        """From now on views with a background job are shown through it."""
        self._job_look = job_look
        job_look.news.connect(self._receiver)

    @property
    def job_id(self) -> str:
        """The background job that is shown; "" when none is."""
        return self._job_look.job_id if self._job_look is not None else ""

    def by_job(self, choice: Choice) -> bool:
        """A background job answers it, not the engine at once."""
        view = choice.view
        return self._job_look is not None and bool(view and view.job) and not choice.live

    def ask(self, choice: Choice, *, fresh: bool = False) -> None:
        """Asks the engine about `choice`, or follows its frames.

        Args:
            choice: It has a view, and what that needs.
            fresh: Nothing that was computed or measured before is reused.
        """
        question = choice.question(fresh=fresh)
        if choice.slot is not None:
            self._bridge.follow(
                question, choice.slot, choice.pace, self._receiver, any_runtime=choice.any_runtime
            )
        else:
            self._bridge.look(question, self._receiver)

    def ask_job(
        self, choice: Choice, *, fresh: bool = False, start: bool = True, begin: bool = False
    ) -> bool:
        """Asks the background job about `choice`; False when there is nothing to wait for.

        Where there is no job yet of a view that has a survey, the engine is asked for that.

        Args:
            choice: Of `by_job`.
            fresh: The job's results are computed again.
            start: The job is started where there is none, unless the view has a survey.
            begin: Such a job is started, too.
        """
        assert self._job_look is not None
        assert choice.view is not None
        assert choice.spec is not None
        if fresh:
            self._job_look.forget()
        self._bridge.leave()
        surveys = choice.view.job is not None and choice.view.job.survey is not None
        start = start and (begin or not surveys)
        if self._job_look.look(choice.view, choice.spec, choice.params, choice.seed, start=start):
            return True
        if surveys:
            self._bridge.look(replace(choice.question(), survey=True), self._receiver)
        return surveys

    def act(self, action: Action, choice: Choice, receiver: Receiver) -> bool:
        """Runs an action of the view on what is shown; False when nothing is."""
        view = choice.view
        if view is None or (choice.spec is None and view.needs.network):
            return False
        if choice.image is None and view.needs.photo:
            return False
        self._bridge.act(choice.question(), action, receiver)
        return True

    def steer(self, params: Any) -> bool:
        """Hands `params` to the running computation; False when none is running."""
        return self._bridge.steer(params)

    def pause(self, paused: bool) -> None:
        if self.job_id and self._job_look is not None:
            self._job_look.pause(paused)
        else:
            self._bridge.pause(paused)

    def cancel(self) -> None:
        """Ends the question; what has come stays."""
        self._bridge.cancel(LOOK)
        if self._job_look is not None:
            self._job_look.cancel()

    def end(self) -> None:
        """Nothing is shown any more; a background job continues."""
        self._bridge.cancel(LOOK)

    def leave(self) -> None:
        """The question is withdrawn; a background job continues."""
        self._bridge.leave()
        self.leave_job()

    def leave_job(self) -> None:
        if self._job_look is not None:
            self._job_look.leave()

    def show_kept(self, answer: Answer) -> None:
        """An earlier answer is shown again: its film can be saved."""
        self._bridge.step_film.keep_only(answer)
