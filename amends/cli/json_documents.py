"""Sagas as JSON documents, whose fields keep their names. Moments are UTC as text, time spans seconds."""

from collections.abc import Sequence
from typing import Any

from amends.cli.formatting import moment
from amends.cli.records import Record, records_by_step
from amends.cli.times.documents import record_times_json, times_json
from amends.diagnosis.saga.times.segments import Times
from amends.log.history import Event
from amends.log.queries.children import ChildState
from amends.log.queries.open_waits import OpenWait
from amends.log.queries.stage_state import StageState, at_hand, stages_of
from amends.log.queries.summary import SagaSummary
from amends.log.saga_state import Standing
from amends.saga.snapshot import snapshot_of


def saga_json(standing: Standing, times: Times) -> dict[str, Any]:
    """Give a saga with its steps and where its time went, without what is private."""
    entry, snapshot, here = standing.entry, snapshot_of(standing.entry), at_hand(standing)
    records, of_records = records_by_step(standing), times.by_record

    def at(time: float | None) -> str | None:
        return None if time is None else moment(time)

    shown: dict[str, Any] = {
        "id": entry.id,
        "saga": entry.itinerary.saga,
        "status": entry.status,
        "direction": "forward" if entry.is_forward else "backward",
        "paused": snapshot.paused,
        "paused_since": at(entry.paused_at),
        "outcome": snapshot.outcome,
        "reason": snapshot.reason,
        "error": entry.error,
        "frame": entry.frame,
        "record": next(iter(here), None),
        "created": moment(entry.created_at),
        "begins": at(entry.begins_at),
        "deadline": at(entry.deadline_at),
        "ended": at(entry.ended_at),
        "now": moment(standing.now),
        "events": standing.events,
        "steps": [
            {
                "name": name,
                "state": step.state,
                "records": [
                    record_json(each) | {"times": record_times_json(of_records.get(each.path, ()))}
                    for each in records[name]
                ],
            }
            for name, step in snapshot.steps.items()
        ],
        "times": times_json(times),
    }
    if standing.is_archived:
        shown["archived"] = True
    if entry.parent:
        shown |= {"parent": entry.parent.id, "parent_step": entry.parent.step}
    if stages := stages_of(entry):
        shown |= {"at_hand": here, "stages": [*map(_stage_json, stages)]}
    return shown


def _stage_json(stage: StageState) -> dict[str, Any]:
    """Give a stage of several branches by the names of its steps; those wait for a place that `waiting` names."""
    return {
        "items": stage.plan.items,
        "concurrency": stage.plan.concurrency,
        "ordered_undo": stage.plan.undo == "ordered",
        "state": stage.state,
        "undo": stage.undo,
        "branches": [branch.steps for branch in stage.branches],
        "waiting": [step for each in stage.branches if each.waits_for_place for step in each.steps],
    }


def record_json(record: Record) -> dict[str, Any]:
    """Give one record of a saga, without its output."""
    return {
        "record": record.path,
        "task": record.task,
        "state": record.state,
        "attempts": record.attempts,
        "wait": record.wait,
        "running_for": record.claimed,
        "given_up_in": record.time_left,
        "owner": record.owner,
        "error": record.error,
        "frame": record.frame,
        **({"waits_for": _wait_json(record.waits_for)} if record.waits_for else {}),
    }


def _wait_json(wait: OpenWait) -> dict[str, Any]:
    """Give what a record waits for: so many signals, 0 where a time ends it, and what ends it otherwise."""
    return {
        "wanted": wait.wanted,
        "signals": wait.signals,
        "ends_at": None if wait.ends_at is None else moment(wait.ends_at),
        "on_timeout": wait.on_timeout,
        "outcome": wait.outcome,
    }


def event_json(event: Event) -> dict[str, Any]:
    """Give one event of a history."""
    shown: dict[str, Any] = {
        "at": moment(event.at),
        "name": event.name,
        "record": event.record,
        "details": dict(event.details),
    }
    if event.first_at is None:
        return shown
    return {**shown, "count": event.count, "first_at": moment(event.first_at)}


def summary_json(summary: SagaSummary) -> dict[str, Any]:
    """Give the fields of a saga in a list."""
    return {
        "id": summary.id,
        "saga": summary.saga,
        "status": summary.status,
        "paused": summary.paused,
        "outcome": summary.outcome,
        "reason": summary.reason,
        "step": summary.step,
        "record": summary.record,
        "state": summary.state,
        "attempts": summary.attempts,
        "wait": summary.wait,
        "wanted": summary.wanted,
        "signals": summary.signals,
        "error": summary.error,
        "frame": summary.frame,
        "age": round(summary.age, 3),
        "since": moment(summary.since),
        "created": moment(summary.created),
        "events": summary.events,
        "parent": summary.parent.id if summary.parent else None,
        "parent_step": summary.parent.step if summary.parent else None,
        "child": summary.child,
    }


def children_json(children: Sequence[ChildState]) -> list[dict[str, Any]]:
    """Give children with the fields that a saga has in a list; status is null where it is not there."""
    return [
        {
            **(summary_json(each.summary) if each.summary else {"id": each.id, "status": None}),
            "parent_step": each.step,
            "children": children_json(each.children),
        }
        for each in children
    ]
