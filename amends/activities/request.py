"""How a worker's main process sees the message of an activity."""

import time
from typing import Any

from celery.worker.request import Request

from amends.activities.guard import Guard, permit_token


class ActivityRequest(Request):
    """Speaks for a process that was killed at its hard time limit: it cannot report itself."""

    def on_timeout(self, soft: bool, timeout: float) -> None:  # noqa: FBT001 - Celery's
        """Tell the activity's breaker that its call failed."""
        super().on_timeout(soft, timeout)
        task: Any = self.task
        guard: Guard | None = task.activity.guard
        if soft or guard is None:
            return
        token = permit_token(self.id, self.request_dict.get("retries") or 0)
        began: float | None = self.time_start
        ran_for = timeout if began is None else time.time() - began
        guard.breaker.report_killed(token, ran_for=ran_for, why=f"killed after {timeout:g} s")
