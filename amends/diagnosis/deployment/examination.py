"""The examination of an app: its configuration, its saga log, its broker and its workers."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar

from celery import Celery

from amends.backend.settings import Settings, settings_of, unread_settings
from amends.diagnosis.deployment import (
    archive_rules,
    breaker_rules,
    link_rules,
    options,
    outbox_rules,
    rabbitmq,
    redis_rules,
)
from amends.diagnosis.deployment import broker_rules as broker
from amends.diagnosis.deployment import fast_path_rules as fast_path
from amends.diagnosis.deployment import log_rules as saga_log
from amends.diagnosis.deployment import worker_rules as crew
from amends.diagnosis.deployment.breaker_rules import read_circuits
from amends.diagnosis.deployment.destinations import (
    Destination,
    destinations_here,
    destinations_in_use,
)
from amends.diagnosis.deployment.findings import (
    Diagnosis,
    Facts,
    Finding,
    Problem,
    Rule,
    Severity,
    error,
    warning,
)
from amends.diagnosis.deployment.log_state import LogState, is_in_process, read_log
from amends.diagnosis.deployment.rabbitmq import RabbitServer
from amends.diagnosis.deployment.redis_server import RedisServer
from amends.diagnosis.deployment.worker_inspection import Patience, Worker, ask_workers
from amends.dispatch.broker import connected
from amends.errors import ConfigurationError
from amends.outbox.backlog import read_outbox

T = TypeVar("T")

PATIENCE: Final = Patience()
_WORST_FIRST: Final = (Severity.ERROR, Severity.WARNING, Severity.OK)


@error("config.invalid", fine="the settings are valid")
def _configuration(reason: str) -> Iterator[Problem]:
    if reason:
        yield Problem(what=reason, where="Celery's configuration", remedy="correct it")


@warning("config.unread", fine="no setting is spelled so that Celery does not read it")
def _unread(keys: Mapping[str, str]) -> Iterator[Problem]:
    for key, read in keys.items():
        yield Problem(
            what=f"{key} is set, and Celery does not read it",
            where="Celery's configuration",
            remedy=f"call it {read}, or something that does not look like a setting of amends",
        )


@error("config.imports", fine="the app's modules can be imported")
def _imports(reason: str) -> Iterator[Problem]:
    if reason:
        yield Problem(
            what=f"a module that the app names cannot be imported: {reason}",
            where="imports, include, autodiscover_tasks",
            remedy="correct it: no worker starts with it",
        )


_OUTSIDE: Final[Sequence[Rule[str]]] = (_configuration, _imports, saga_log.away, broker.away)
CODES: Final[dict[str, Severity]] = {
    rule.code: rule.severity
    for rules in (
        *(
            _OUTSIDE,
            (_unread, saga_log.in_process, fast_path.off, link_rules.incomplete),
            (outbox_rules.password,),
            outbox_rules.RULES,
            saga_log.RULES,
            archive_rules.RULES,
            redis_rules.RULES,
        ),
        options.RULES,
        *(broker.RULES, broker.SERVER_RULES, rabbitmq.RULES),
        *(crew.PRESENCE, crew.RULES, breaker_rules.RULES),
    )
    for rule in rules
}
"""The code of every rule there is, and how bad its breach is."""


def examine(app: Celery, *, patience: Patience = PATIENCE) -> Diagnosis:
    """Examine an app in a few seconds, and change nothing. Whatever is away is a finding, and no error.

    app: the app to examine, as its workers and callers configure it.
    patience: how long to wait for the saga log, the broker and the workers.
    """
    findings = sorted(_examine(app, patience), key=lambda each: _WORST_FIRST.index(each.severity))
    return Diagnosis(findings=tuple(findings))


def _examine(app: Celery, patience: Patience) -> Iterator[Finding]:
    try:
        app.loader.import_default_modules()
    except Exception as failure:  # noqa: BLE001 - a module may raise anything
        yield from _imports.apply(f"{type(failure).__name__}: {failure}")
    else:
        yield from _imports.apply("")
    yield from _unread.apply(unread_settings(app))
    try:
        settings = settings_of(app)
    except ConfigurationError as failure:
        yield from _configuration.apply(str(failure))
        return
    yield from _configuration.apply("")
    yield from saga_log.in_process.apply(settings)
    yield from fast_path.look(settings)
    yield from link_rules.incomplete.apply(settings)
    yield from outbox_rules.password.apply(settings)
    yield from _examine_surroundings(app, settings, patience)


def _examine_surroundings(app: Celery, settings: Settings, patience: Patience) -> Iterator[Finding]:
    silent = "the saga log at amends_backend cannot be reached: no answer"
    look_at_log = _Look(lambda: _look_at_log(settings), patience.total, silent=silent)
    look_at_broker = _Look(lambda: _look_at_broker(app, look_at_log, patience), patience.total)
    outbox = read_outbox(app, patience=patience.total)
    log, (server, answered) = look_at_log.result, look_at_broker.result or (None, None)
    if not is_in_process(settings):
        yield from saga_log.away.apply(look_at_log.error)
    if log:
        yield from _apply((*saga_log.RULES, *archive_rules.RULES), log)
        for rule in redis_rules.RULES:
            yield from _of_all(finding for server in log.servers for finding in rule.apply(server))
    yield from _apply(outbox_rules.RULES, outbox)
    destinations: list[Destination] = [
        *destinations_here(app),
        *destinations_in_use(app, log.in_use if log else ()),
    ]
    yield from _apply(options.RULES, options.options_of(app, answered or ()))
    yield from broker.away.apply(look_at_broker.error)
    if use := _Look(lambda: broker.use_of(app, settings, destinations), patience.total).result:
        yield from _apply(broker.RULES, use)
    if isinstance(server, RedisServer):
        yield from _apply(broker.SERVER_RULES, server)
    elif server:
        yield from _apply(rabbitmq.RULES, server)
    if answered is not None:
        heartbeats = log.heartbeats if log else None
        found = crew.Crew(
            workers=answered,
            heartbeats=heartbeats,
            destinations=destinations,
            profiles=log.profiles if log else (),
            confirms=bool(use and use.confirms),
        )
        yield from _apply(crew.PRESENCE, found)
        nodes = sorted({each.node for each in found.alive if each.node})
        if circuits := read_circuits(nodes):
            yield from _apply(breaker_rules.RULES, circuits)
        if answered:
            yield from _apply(crew.RULES, found)


def _look_at_log(settings: Settings) -> LogState | None:
    return None if is_in_process(settings) else read_log(settings)


def _look_at_broker(
    app: Celery, log: _Look[LogState | None], patience: Patience
) -> tuple[RedisServer | RabbitServer | None, list[Worker]]:
    # Kombu ends a connection to Redis when its last BRPOP has ended, by default of 1 s.
    options = {"polling_interval": 0.1}
    with connected(app.connection_for_write(transport_options=options)) as connection:
        server = broker.read_broker_server(app, connection)
        heartbeats = log.result.heartbeats if log.result else None
        beating = crew.Crew(workers=(), heartbeats=heartbeats, destinations=()).alive
        nodes = [each.node for each in beating if each.node]
        return server, ask_workers(app, connection, nodes, patience=patience)


def _of_all(findings: Iterable[Finding]) -> Sequence[Finding]:
    """Select what is wrong with any of several servers; that all is fine is said once."""
    found = list(findings)
    return [each for each in found if each.severity is not Severity.OK] or found[:1]


def _apply(rules: Iterable[Rule[Facts]], facts: Facts) -> Iterator[Finding]:
    for rule in rules:
        yield from rule.apply(facts)


class _Look(Generic[T]):
    """Looks at something in a thread: what hangs there neither keeps the examination nor its process."""

    def __init__(self, look: Callable[[], T], seconds: float, *, silent: str = "no answer") -> None:
        self._until = time.monotonic() + seconds
        self._result: T | None = None
        self._error = f"{silent} within {seconds:g} s"
        self._thread = threading.Thread(target=self._run, args=(look,), daemon=True)
        self._thread.start()

    def _run(self, look: Callable[[], T]) -> None:
        try:
            self._result = look()
        except Exception as failure:  # noqa: BLE001 - each library has its own for what is away
            self._error = str(failure) or type(failure).__name__
        else:
            self._error = ""

    @property
    def result(self) -> T | None:
        """What was seen, when that is known; None where it is away."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        return self._result

    @property
    def error(self) -> str:
        """Why nothing was seen, or ''."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        return self._error
