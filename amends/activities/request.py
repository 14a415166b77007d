"""How a worker's main process sees the message of an activity."""

import time
from typing import Any, Final
from weakref import WeakSet

from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]  # not in its stubs
from billiard.exceptions import Terminated, WorkerLostError
from celery.exceptions import Ignore
from celery.worker.request import Request

from amends.activities.guard import permit_token
from amends.backend.settings import settings_of
from amends.breaker.definition import CircuitBreaker
from amends.log.owner import WorkerProcess, has_died

# What Celery raises in place of a process that is gone, but for its hard time limit (celery/worker/request.py).
_GONE: Final = (WorkerLostError, Terminated, SystemExit, KeyboardInterrupt)


CANCELLED: "Final[WeakSet[ActivityRequest]]" = WeakSet()
"""Those whose processes were told to end; the pool lets go of each once its process is gone."""


class Answered(Ignore):
    """Ends the task of a step that was refused: the service answered, and that is no failure to wake anybody.

    To Celery's signals and hooks the task is ignored. Monitors are told that the step failed, and of the refusal.
    """


class ActivityRequest(Request):
    """The message of an activity, with or without a breaker."""

    def on_failure(
        self,
        exc_info: Any,
        send_failed_event: bool = True,  # noqa: FBT001, FBT002 - Celery's
        return_ok: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Tell monitors of a refusal too, which Celery would leave as started for ever."""
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        error = _raised(exc_info)
        if isinstance(error, Answered):
            self.send_event("task-failed", exception=str(error), traceback="")

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001 - Celery's
        """Note when a hard limit ends a process that lived until then, whatever its last heartbeat."""
        if not soft and self.worker_pid and not has_died(int(self.worker_pid)):
            WorkerProcess.current.killed[int(self.worker_pid)] = time.monotonic()
        super().on_timeout(soft, timeout)

    def cancel(self, *arguments: Any, **options: Any) -> None:
        """Tell the process to end. Until it did it has the message, which Celery forgets at once."""
        CANCELLED.add(self)
        super().cancel(*arguments, **options)


class GuardedRequest(ActivityRequest):
    """The message of an activity with a breaker: speaks to it for a process that was killed, which cannot itself."""

    def on_failure(
        self,
        exc_info: Any,
        send_failed_event: bool = True,  # noqa: FBT001, FBT002 - Celery's
        return_ok: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Give the place of a probe back where its process is gone: that says nothing about the service."""
        if isinstance(_raised(exc_info), _GONE):
            self._breaker.release_killed(self._permit_token)
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001 - Celery's
        """Tell the activity's breaker that its call failed, if the process was killed in it.

        Not so if the call had ended and its result could not be written, or had not begun: that says nothing about the
        service. Where the message ran several steps, nobody knows whose call it was, and no breaker is told.
        """
        super().on_timeout(soft, timeout)
        if soft or timeout > self._longest:
            return
        if not WorkerProcess.current.is_calling(int(self.worker_pid or 0)):
            self._breaker.release_killed(self._permit_token)
            return
        began: float | None = self.time_start
        ran_for = timeout if began is None else time.time() - began
        why = f"killed after {timeout:g} s"
        self._breaker.report_killed(self._permit_token, ran_for=ran_for, why=why)

    @property
    def _breaker(self) -> CircuitBreaker:
        task: Any = self.task
        breaker: CircuitBreaker = task.activity.guard.breaker
        return breaker

    @property
    def _longest(self) -> float:
        """The hard limit of the activity alone, in seconds."""
        task: Any = self.task
        limit: float = task.activity.start_to_close_timeout
        return limit + settings_of(task.app).hard_limit_after

    @property
    def _permit_token(self) -> str:
        return permit_token(self.id, self.request_dict.get("retries") or 0)


def _raised(exc_info: Any) -> Any:
    error = exc_info.exception
    return error.exc if isinstance(error, ExceptionWithTraceback) else error
