"""Rules about the running workers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from amends.diagnosis.deployment.destinations import Destination
from amends.diagnosis.deployment.findings import Problem, Rule, Unseen, error, few, warning
from amends.diagnosis.deployment.worker_inspection import Worker
from amends.log.heartbeats import VERSION, Heartbeat
from amends.log.liveness import DEAD_AFTER
from amends.log.profiles import Profile


@dataclass(frozen=True, kw_only=True)
class Crew:
    """The workers that answered, and those that say in the log that they live; None where the log is away.

    profiles: what live workers take by the log, also those that did not answer.
    confirms: whether who publishes waits for RabbitMQ's confirmation.
    """

    workers: Sequence[Worker]
    heartbeats: Sequence[Heartbeat] | None
    destinations: Sequence[Destination]
    profiles: Sequence[Profile] = ()
    confirms: bool = False

    @property
    def alive(self) -> list[Heartbeat]:
        """The heartbeats that are fresh."""
        return [each for each in self.heartbeats or () if each.age <= DEAD_AFTER]

    @property
    def wanted(self) -> Mapping[str, set[str]]:
        """The tasks that go to each queue."""
        found: dict[str, set[str]] = {}
        for each in self.destinations:
            if each.queue and not each.error:
                found.setdefault(each.queue, set()).add(each.task)
        return found

    @property
    def tasks(self) -> set[str]:
        """The tasks that any live worker knows."""
        answered = (worker.tasks for worker in self.workers)
        return set().union(*answered, *(each.tasks for each in self.profiles))

    def consumers(self, queue: str) -> list[Worker]:
        """Select the workers that consume a queue."""
        return [worker for worker in self.workers if queue in worker.queues]


@error("workers.none", fine="workers live")
def _none(crew: Crew) -> Iterator[Problem]:
    if not crew.workers and not crew.alive:
        yield Problem(
            what="no worker answers, and none says in the saga log that it lives",
            where="the broker",
            remedy="start one: celery -A <app> worker",
        )


@warning("workers.silent", fine="every worker that lives answers")
def _silent(crew: Crew) -> Iterator[Problem]:
    if crew.heartbeats is None:
        raise Unseen
    answered = {worker.node for worker in crew.workers}
    for node in sorted({each.node for each in crew.alive if each.node} - answered):
        yield Problem(
            what=f"{node} lives, by the saga log, and does not answer",
            where=node,
            remedy="it has just stopped, runs a task in a solo pool, has another broker, or worker_enable_remote_control"
            " is off there",
        )


@error("workers.other_log", fine="every worker that knows sagas beats in this saga log")
def _other_log(crew: Crew) -> Iterator[Problem]:
    if crew.heartbeats is None or any(not each.node for each in crew.alive):
        raise Unseen
    beating = {each.node for each in crew.alive}
    for worker in crew.workers:
        if worker.knows_sagas and worker.node not in beating:
            yield Problem(
                what=f"{worker.node} takes messages of sagas and does not beat in this saga log",
                where=worker.node,
                remedy="give it the same amends_backend, or let it reach the log; its own log says which",
            )


@error("workers.without_amends", fine="every worker that gets messages of sagas has amends")
def _without_amends(crew: Crew) -> Iterator[Problem]:
    for worker in crew.workers:
        queues = worker.queues & crew.wanted.keys()
        if queues and not worker.knows_sagas:
            yield Problem(
                what=f"{worker.node} consumes {few(queues)} and does not know amends: it drops the messages of sagas",
                where=worker.node,
                remedy="import amends in its app, or give it other queues (-Q)",
            )


@warning("workers.version", fine="every worker has the amends of this process")
def _version(crew: Crew) -> Iterator[Problem]:
    if not crew.alive:
        raise Unseen
    for each in crew.alive:
        if each.version != VERSION:
            yield Problem(
                what=f"{each.node or 'a worker'} runs amends {each.version or 'of an earlier version'}, and this process {VERSION}",
                where=each.node,
                remedy="finish the deploy",
            )


@warning("workers.pool", fine="every worker can end an attempt at its hard limit")
def _pool_kind(crew: Crew) -> Iterator[Problem]:
    for worker in crew.workers:
        if worker.knows_sagas and worker.pool not in ("prefork", "processes"):
            yield Problem(
                what=f"{worker.node} has the pool {worker.pool}, which cannot kill: an attempt that hangs keeps its slot, although"
                " the saga log gives it up",
                where=worker.node,
                remedy="run steps that may hang with --pool prefork, or give every call a timeout of its own",
            )


@warning("workers.confirms", fine="no worker with greenlets waits for publisher confirms")
def _confirms(crew: Crew) -> Iterator[Problem]:
    """Seen with Celery 5.7.0: the greenlet that sends an event waits for its confirmation, and all others for its lock."""
    for worker in crew.workers:
        if crew.confirms and worker.pool == "gevent":
            yield Problem(
                what=f"{worker.node} has the pool gevent, and confirm_publish is on: Celery's workers may stop for good so",
                where=worker.node,
                remedy="leave confirm_publish out of broker_transport_options there (a message that is lost is replaced by a"
                " sweep), or use another pool",
            )


@error("queues.unconsumed", fine="a worker consumes each queue that sagas need")
def _unconsumed(crew: Crew) -> Iterator[Problem]:
    for queue, tasks in sorted(crew.wanted.items()):
        if not crew.consumers(queue):
            yield Problem(
                what=f"no worker consumes {queue}, which {few(tasks)} goes to",
                where=queue,
                remedy=f"name it in task_queues, or start a worker with --queues {queue}",
            )


@error("tasks.unregistered", fine="each task is known where its messages go")
def _unregistered(crew: Crew) -> Iterator[Problem]:
    for queue, task in _tasks_here(crew):
        consumers = _with_amends(crew.consumers(queue))
        if consumers and not any(task in worker.tasks for worker in consumers):
            yield Problem(
                what=f"{task} goes to {queue}, and no worker that consumes it knows the task",
                where=few(worker.node for worker in consumers),
                remedy="deploy the workers, or name its module in imports",
            )


@warning("tasks.partly_registered", fine="each task is known to all workers that may get it")
def _partly_registered(crew: Crew) -> Iterator[Problem]:
    for queue, task in _tasks_here(crew):
        consumers = _with_amends(crew.consumers(queue))
        without = [worker.node for worker in consumers if task not in worker.tasks]
        if without and len(without) < len(consumers):
            yield Problem(
                what=f"{task} goes to {queue}, and of the workers that consume it some do not know the task; its saga waits"
                " whenever they get a message",
                where=few(without),
                remedy="finish the deploy, or give them other queues",
            )


@error("sagas.unknown_task", fine="the workers know every task that live sagas need")
def _unknown_task(crew: Crew) -> Iterator[Problem]:
    needed: dict[str, set[str]] = {}
    for each in crew.destinations:
        needed.setdefault(each.task, set()).update(each.sagas)
    for task, sagas in sorted(needed.items()):
        if sagas and task not in crew.tasks:
            yield Problem(
                what=f"no worker knows {task}, which live sagas may need: {few(sagas)}",
                where=task,
                remedy="deploy workers that know it until these sagas have ended, or end them by hand",
            )


def _tasks_here(crew: Crew) -> Iterator[tuple[str, str]]:
    yield from sorted(
        (each.queue, each.task)
        for each in crew.destinations
        if each.queue and not each.error and not each.sagas
    )


def _with_amends(workers: Sequence[Worker]) -> list[Worker]:
    return [worker for worker in workers if worker.knows_sagas]


PRESENCE: Final[Sequence[Rule[Crew]]] = (_none, _silent, _version)
"""What can be told where no worker answers, too."""
RULES: Final[Sequence[Rule[Crew]]] = (
    *(_other_log, _without_amends, _pool_kind, _confirms),
    *(_unconsumed, _unregistered, _partly_registered, _unknown_task),
)
