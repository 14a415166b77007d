"""Whether the engine's tasks still have the options that it gave them: annotations can change any."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from celery import Celery

from amends.diagnosis.deployment.destinations import own_tasks
from amends.diagnosis.deployment.findings import Problem, Rule, Severity, error, few
from amends.diagnosis.deployment.worker_inspection import ASKED_OF_TASKS, Effective, Worker

HERE: Final = "this process"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the engine's tasks as they are in effect, by place (this process, a worker) and task."""

    app: Celery
    by_place: Mapping[str, Mapping[str, Effective]]


def options_of(app: Celery, workers: Sequence[Worker]) -> Options:
    """Gather what is in effect here and on the workers."""
    own = own_tasks(app)
    here = {name: _in_effect(task) for name, task in own.items()}
    there = {
        worker.node: {name: told for name, told in worker.tasks.items() if name in own}
        for worker in workers
    }
    return Options(app=app, by_place={HERE: here, **there})


def _in_effect(task: Any) -> Effective:
    values = {option: getattr(task, option, None) for option in ASKED_OF_TASKS}
    return {option: str(value) for option, value in values.items() if value is not None}


@error("tasks.eager", fine="tasks are sent to workers")
def _eager(options: Options) -> Iterator[Problem]:
    if options.app.conf.task_always_eager:
        yield Problem(
            what="task_always_eager is on: every saga runs in the process that starts it, which a crash ends for good",
            where="Celery's configuration",
            remedy="turn it off outside of tests",
        )


def _keeps(
    code: str, option: str, wanted: str | None, *, severity: Severity, fine: str, effect: str
) -> Rule[Options]:
    """Make the rule that an option of the engine's tasks is as it was given."""

    def find(options: Options) -> Iterator[Problem]:
        for place, tasks in options.by_place.items():
            changed = {name: told.get(option) for name, told in tasks.items()}
            changed = {name: value for name, value in changed.items() if value != wanted}
            if changed:
                values = " or ".join(sorted({str(value) for value in changed.values()}))
                yield Problem(
                    what=f"{option} is {values} on {few(changed)}: {effect}",
                    where=place,
                    remedy="leave the engine's tasks out of task_annotations, and their class as it is",
                )

    looked_for: Callable[[Options], Iterator[Problem]] = find
    return Rule(code=code, severity=severity, fine=fine, find=looked_for)


RULES: Final[Sequence[Rule[Options]]] = (
    _eager,
    _keeps(
        "tasks.late_acks",
        "acks_late",
        "True",
        severity=Severity.ERROR,
        fine="a message is acknowledged when its step has ended",
        effect="the message of a step whose worker dies is lost, and its saga waits for a sweep",
    ),
    _keeps(
        "tasks.lost_worker",
        "reject_on_worker_lost",
        "True",
        severity=Severity.ERROR,
        fine="the message of a step whose process dies comes back",
        effect="a step whose process dies counts as failed for Celery, and its saga waits for a sweep",
    ),
    _keeps(
        "tasks.failure_acks",
        "acks_on_failure_or_timeout",
        "True",
        severity=Severity.ERROR,
        fine="the message of a step that failed is acknowledged",
        effect="the message of a step that failed, which the saga log has long dealt with, is rejected",
    ),
    _keeps(
        "tasks.max_retries",
        "max_retries",
        None,
        severity=Severity.WARNING,
        fine="retry policies alone decide how often a step is tried",
        effect="Celery ends what the retry policy goes on with, and its saga goes on by a detour",
    ),
)
