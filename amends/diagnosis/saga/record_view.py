"""The records of a saga in an explanation."""

from typing import Any

from celery import Celery

from amends.backend.settings import settings_of
from amends.definition.itinerary import FALLBACK, RecordPlan
from amends.definition.states import RecordState
from amends.diagnosis.saga.explanation import Record, Role
from amends.log.saga_state import Standing


class View:
    """A saga at one moment, and its Celery app."""

    def __init__(self, app: Celery, standing: Standing) -> None:
        self.app = app
        self.settings = settings_of(app)
        self.standing = standing
        self.entry = standing.entry
        self.itinerary = standing.entry.itinerary
        self.records = standing.entry.records
        self.now = standing.now

    @property
    def is_unsent(self) -> bool:
        """Whether no message is in flight: a sweep publishes the next one."""
        return self.entry.dispatches == 0

    @property
    def is_unregistered(self) -> bool:
        """Whether that is because a worker did not know the task of the last one."""
        return self.is_unsent and self.standing.last_event.name == "step.unregistered"

    def plan(self, path: str) -> RecordPlan:
        """Return the plan of a record."""
        return self.itinerary.records[path]

    def with_state(self, state: RecordState) -> list[str]:
        """List the paths of the records in a state."""
        return [path for path, record in self.records.items() if record.state is state]

    def record(self, path: str) -> Record:
        """Describe a record."""
        plan, record = self.plan(path), self.records[path]
        used = record.used.since(record.renewed)
        activity = getattr(self.app.tasks.get(plan.call.task), "activity", None)
        return Record(
            path=path,
            step=plan.step.name,
            task=plan.call.task,
            role=self.role(plan),
            undoes=plan.compensates.task if plan.compensates else None,
            attempts=used.attempts,
            max_attempts=plan.call.max_attempts,
            spent=record.used.attempts,
            deaths=used.deaths,
            unregistered=used.unregistered,
            poison_after=self.settings.poison_after,
            error=record.error,
            is_known=activity is not None,
            output_fields=_output_fields(plan, activity),
        )

    def role(self, plan: RecordPlan) -> Role:
        """Return the role of an activity in its step."""
        if plan.compensates:
            return Role.EARLY_COMPENSATION if self.entry.is_forward else Role.COMPENSATION
        return Role.FALLBACK if plan.path.endswith(FALLBACK) else Role.STEP


def _output_fields(plan: RecordPlan, activity: Any) -> tuple[str, ...] | None:
    if plan.compensates or activity is None or activity.output is None:
        return None
    return tuple(activity.output.model_fields)
