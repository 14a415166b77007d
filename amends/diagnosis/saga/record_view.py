"""The records of a saga in an explanation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from celery import Celery

from amends.backend.settings import settings_of
from amends.definition.child_outputs import known_output
from amends.definition.itinerary import RecordPlan
from amends.definition.paths import FALLBACK
from amends.definition.states import RecordState
from amends.diagnosis.saga.kin import child_facts, child_failure
from amends.diagnosis.saga.record_facts import Record, Role
from amends.log.queries.children import ChildState
from amends.log.queries.open_waits import open_wait
from amends.log.queries.stage_state import stage_at_hand
from amends.log.saga_state import Standing


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """The last message of what comes next: when it was to arrive, how many there were, and its number."""

    sent_at: float | None
    dispatches: int
    number: int
    is_advance: bool


class View:
    """A saga at one moment, and its Celery app."""

    def __init__(
        self, app: Celery, standing: Standing, children: Sequence[ChildState] = ()
    ) -> None:
        self.app = app
        self.settings = settings_of(app)
        self.standing = standing
        self.entry = standing.entry
        self.itinerary = standing.entry.itinerary
        self.records = standing.entry.records
        self.now = standing.now
        self.children = {each.step: each for each in children}
        self.stage = stage_at_hand(standing.entry)
        branches = self.stage.branches if self.stage else ()
        self._branches = {path: branch for branch in branches for path in branch.paths}

    def message(self, path: str) -> SentMessage:
        """Return what the log has of the message of what comes next: of the saga, or of the branch that the record is in."""
        entry, branch = self.entry, self._branches.get(path)
        if branch is None:
            chain = takewhile(
                lambda each: not self.itinerary.branch_of(each), self.standing.remaining
            )
            return SentMessage(
                sent_at=entry.sent_at,
                dispatches=entry.dispatches,
                number=int(entry.fields["messages"]) - len([*chain]) + 1,
                is_advance=entry.fields.get("advance") == entry.fields["sent"],
            )
        ahead_here = sum(each in self.standing.places for each in branch.paths)
        return SentMessage(
            sent_at=branch.sent_at,
            dispatches=branch.dispatches,
            number=branch.message - ahead_here + 1,
            is_advance=False,
        )

    def is_unsent(self, path: str) -> bool:
        """Return whether no message for a record is in flight: a sweep publishes the next one."""
        return self.message(path).dispatches == 0

    def is_unregistered(self, path: str) -> bool:
        """Return whether that is because a worker did not know the task of the last one."""
        last = self.standing.last_event
        if path in self._branches:
            own = (each for each in reversed(self.standing.history) if each.record == path)
            last = next(own, last)
        return self.is_unsent(path) and last.name == "step.unregistered"

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
        output = known_output(plan.step.child.saga) if plan.step.child else None
        model = activity.output if activity else output
        child = self.child_of(path)
        return Record(
            path=path,
            step=path.partition(":")[0],
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
            frame=record.frame,
            is_known=activity is not None or output is not None,
            output_fields=None if model is None or plan.compensates else (*model.model_fields,),
            waits_for=open_wait(self.entry, path),
            child=child_facts(child) if child else None,
            child_failure=child_failure(self.entry, plan) if plan.step.child else None,
        )

    def child_of(self, path: str) -> ChildState | None:
        """Return the saga that a record's step is, if there is one."""
        return self.children.get(path.partition(":")[0])

    def role(self, plan: RecordPlan) -> Role:
        """Return the role of an activity in its step."""
        if plan.compensates:
            return Role.EARLY_COMPENSATION if self.entry.is_forward else Role.COMPENSATION
        return Role.FALLBACK if plan.path.endswith(FALLBACK) else Role.STEP
