"""A saga's fields in the log by the paths of its records."""

from typing import Any

from celery import Celery

from amends.backend.settings import settings_of
from amends.definition.itinerary import FALLBACK, RecordPlan
from amends.definition.serialization import error_text
from amends.diagnosis.saga.explanation import Record, Role
from amends.log.answers import Standing


class View:
    """One saga as it stands, and the app that runs it."""

    def __init__(self, app: Celery, standing: Standing) -> None:
        self.app = app
        self.settings = settings_of(app)
        self.standing = standing
        self.itinerary = standing.entry.itinerary
        self.fields = standing.entry.fields
        self.now = standing.now
        self.is_forward = self.fields["direction"] == "forward"

    @property
    def is_unsent(self) -> bool:
        """Whether no message is under way, and a sweep's look publishes."""
        return self.fields["dispatches"] == "0"

    @property
    def is_unregistered(self) -> bool:
        """Whether that is because no worker knew the task of the one before."""
        return self.is_unsent and self.standing.history[-1].name == "step.unregistered"

    def moment(self, name: str) -> float | None:
        """Read a time of the saga."""
        value = self.fields.get(name)
        return None if value is None else int(value) / 1000

    def field(self, path: str, name: str) -> str | None:
        """Read a field of a record."""
        return self.fields.get(f"{self.itinerary.code_of(path)}.{name}")

    def state(self, path: str) -> str:
        """Read a record's state."""
        return self.field(path, "s") or "pending"

    def plan(self, path: str) -> RecordPlan:
        """Find what a record's path names."""
        return self.itinerary.records[path]

    def with_state(self, state: str) -> list[str]:
        """List the paths of the records in a state."""
        return [path for path in self.itinerary.records if self.state(path) == state]

    def record(self, path: str) -> Record:
        """Tell what there is to say about a record."""
        plan = self.plan(path)
        spent, deaths, unregistered = self._counts(path)
        before = [int(each) for each in (self.field(path, "b") or "0,0,0").split(",")]
        activity = getattr(self.app.tasks.get(plan.call.task), "activity", None)
        return Record(
            path=path,
            step=plan.step.name,
            task=plan.call.task,
            role=self.role(plan),
            undoes=plan.undoes.task if plan.undoes else None,
            attempts=spent - before[0],
            max_attempts=plan.call.max_attempts,
            spent=spent,
            deaths=deaths - before[1],
            unregistered=unregistered - before[2],
            poison_after=self.settings.poison_after,
            error=error_text(self.field(path, "e")),
            is_known=activity is not None,
            output_fields=_output_fields(plan, activity),
        )

    def role(self, plan: RecordPlan) -> Role:
        """Tell what an activity is for its step, as the saga goes now."""
        if plan.undoes:
            return Role.VOID if self.is_forward else Role.UNDO
        return Role.FALLBACK if plan.path.endswith(FALLBACK) else Role.STEP

    def _counts(self, path: str) -> tuple[int, int, int]:
        attempts, deaths, unregistered = (int(self.field(path, name) or 0) for name in "apk")
        return attempts, deaths, unregistered


def _output_fields(plan: RecordPlan, activity: Any) -> tuple[str, ...] | None:
    if plan.undoes or activity is None or activity.output is None:
        return None
    return tuple(activity.output.model_fields)
