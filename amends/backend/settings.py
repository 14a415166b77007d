"""The settings, read from Celery's own configuration."""

import difflib
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

from celery import Celery

from amends.backend.http_settings import checked_keys, checked_url
from amends.backend.setting_checks import PREFIX as _PREFIX
from amends.backend.setting_checks import check_settings
from amends.backend.url import redis_url
from amends.errors import ConfigurationError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings ``amends_*`` of Celery's configuration. Times are seconds."""

    #: URL of the saga log's Redis, of its Sentinels, or of a cluster's nodes. It has no default.
    backend: str
    #: Part of each key in that Redis, for an app that shares it with others. None: the Redis has one app's log.
    namespace: str | None = None
    #: What each key begins with, before ``amends:``, where others give an app a part of their Redis by that.
    key_prefix: str | None = None
    #: Queue of compensations and of `advance`. None: the app's default queue.
    compensation_queue: str | None = None
    #: Longest wait that is left to a message. A longer one is an entry of the log alone.
    max_countdown: float = 300.0
    #: Time over which delayed starts, delays and ticks that are due at once are spread, each saga always alike.
    timer_spread: float = 0.0
    #: Parts of the log, fixed at its first use.
    shards: int = 64
    #: Time between two sweeps of a worker.
    sweep_interval: float = 5.0
    #: Time from an attempt's soft limit, its start-to-close timeout, until it is killed where the pool can.
    hard_limit_after: float = 10.0
    #: Time from the same limit until the log gives the attempt up in any pool. Longer than `hard_limit_after`.
    give_up_after: float = 15.0
    #: Claims lost to dead workers before a step is poison, and messages that met a worker without their task before a saga is stuck.
    poison_after: int = 5
    #: Time that an ended saga is kept.
    retention: float = 7 * 86400.0
    #: How many acts of operators the list of acts keeps.
    acts_kept: int = 100_000
    #: Time that the list of acts keeps an act.
    acts_retention: float = 90 * 86400.0
    #: Who acts, where a command is given no ``--by``: ``module:callable``, or an environment variable. None: the login name.
    operator: str | None = None
    #: Whether the log keeps the traceback of an error, 4 kB at most.
    tracebacks: bool = False
    #: Time that the id of a saga is remembered after its end, once it was removed: a late start under it starts nothing. 0: it is not.
    remember: float = 365 * 86400.0
    #: ``<module>:<name>`` of what gets each ended saga before it is removed, see `amends.archive`. None: nothing does.
    archive: str | None = None
    #: Whether a saga has a row of its own in Flower and its like, where workers send the events of tasks.
    monitor_events: bool = True
    #: File that a worker touches while it lives. None: no file.
    health_file: str | None = None
    #: File in which a worker keeps what the log acknowledged to it, for its next start to compare with the log. None: memory.
    acknowledged_file: str | None = None
    #: Replicas that have to have what a transition wrote before it is answered. 0: a failover may lose the last of them.
    wait_replicas: int = 0
    #: Whether the engine may go past the public calls of its libraries (`amends.backend.fast_path`).
    fast_path: bool = True
    #: Whether a saga goes on with the trace that it was started in, by what tracing tools the process has (`amends.traces`).
    traces: bool = True
    #: Database of the outbox: SQLAlchemy's URL, ``django://<alias>``, or ``env://<variable>`` that has one. None: no relay.
    outbox_url: str | None = None
    #: URL of the console, to which pages such as those of Django's admin lead. None: no link.
    console_url: str | None = None
    #: Options of the console by name (`amends.console`).
    console: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    #: Public URL at which `amends.http` is mounted: where the links of ``context().wait_url`` lead.
    http_url: str | None = None
    #: Secrets of those links. The first signs, all verify.
    http_key: tuple[str, ...] | None = field(default=None, repr=False)

    @property
    def key_root(self) -> str:
        """What each key of the log and of circuit breakers begins with."""
        return f"{self.key_prefix or ''}amends:{f'{self.namespace}:' if self.namespace else ''}"

    @property
    def begins_traces(self) -> bool:
        """Whether a saga that is started by this process may have a trace: it has imported a tool of `amends.traces.tools`."""
        return self.traces and bool(_TRACERS & sys.modules.keys())


OF_BACKEND: Final = ("backend_options", "backend_use_ssl")
"""Settings that become a part of `backend`: by Celery's names for those of a result backend, for Sentinels and for TLS."""
_TRACERS: Final = frozenset(
    {"opentelemetry.sdk.trace", "sentry_sdk", "ddtrace.propagation.http", "newrelic.agent"}
)
_KNOWN: Final = frozenset({*(each.name for each in fields(Settings)), *OF_BACKEND})
_NEAR: Final = 0.85  # of 1: a letter or two are wrong


class _Reading(NamedTuple):
    """Settings as they were read, Celery's own that were asked for, and what they were read from."""

    settings: Settings
    celerys: dict[str, Any]
    conf: Any
    changes: dict[str, Any]
    maps: list[Any]

    def is_of(self, conf: Any) -> bool:
        """Tell whether this configuration says the same still: changes are made in the first of its maps."""
        return self.conf is conf and self.changes == conf.changes and self.maps == conf.maps


_readings: dict[Celery, _Reading] = {}


def settings_of(app: Celery) -> Settings:
    """Read the settings of a Celery app.

    They are asked for several times a message, and read anew only where something in ``app.conf`` was set since.
    Raises `ConfigurationError` for a setting that is unknown or wrong, and where `amends_backend` is missing.
    """
    return _reading_of(app).settings


def celery_setting(app: Celery, name: str) -> Any:
    """Read one of Celery's own settings, which takes Celery longer than all that it decides on."""
    kept = _reading_of(app).celerys
    if name not in kept:
        kept[name] = app.conf[name]
    return kept[name]


def compensation_queue(app: Celery) -> str:
    """Name the queue that compensations and `amends.advance` go to."""
    return settings_of(app).compensation_queue or celery_setting(app, "task_default_queue")


def _reading_of(app: Celery) -> _Reading:
    conf: Any = app.conf
    reading = _readings.get(app)
    if reading is None or not reading.is_of(conf):
        _given(app)  # Celery loads its configuration when it is first looked at
        changes, maps = dict(conf.changes), list(conf.maps)  # before: another thread may set more
        reading = _Reading(_read(app), {}, conf, changes, maps)
        _readings[app] = reading
    return reading


def _read(app: Celery) -> Settings:
    given = _given(app)
    for name in given.keys() - _KNOWN:
        hint = did_you_mean(name, _KNOWN, prefix=_PREFIX) or f"; known: {', '.join(sorted(_KNOWN))}"
        raise ConfigurationError(f"unknown setting {_PREFIX}{name} in Celery's configuration{hint}")
    if not given.get("backend"):
        if app.main == "default":  # Celery's stand-in, which would try amqp on localhost
            raise ConfigurationError(
                "no Celery app is current in this thread: import the module that makes yours first,"
                " and for other threads call app.set_default() there"
            )
        raise ConfigurationError(
            f"the Celery app {app.main!r} has no amends_backend: set it to the Redis URL of the saga log,"
            f" like redis://localhost:6379/1{backend_hint(app)}"
        )
    options, use_ssl = (given.pop(name, None) for name in OF_BACKEND)
    checked = {
        "backend": redis_url(given["backend"], options, use_ssl),
        "http_url": checked_url(given.get("http_url")),
        "http_key": checked_keys(given.get("http_key")),
    }
    settings = Settings(**{**given, **checked})
    check_settings(settings)
    return settings


def is_configured(app: Celery) -> bool:
    """Tell whether anything of ours is set, be it wrong."""
    return bool(_given(app))


def _given(app: Celery) -> dict[str, Any]:
    """Read what is set, without the prefix; under a namespace (Django's ``CELERY_``) too."""
    keys = list(app.conf)  # loads the configuration, and only then is there a namespace
    namespace = app.conf.prefix or ""
    given = {}
    for name in {key.removeprefix(namespace).lower() for key in keys if _PREFIX in key.lower()}:
        if name.startswith(_PREFIX):
            with suppress(KeyError):  # of a project's own: Celery reads no setting by this key
                given[name.removeprefix(_PREFIX)] = app.conf[name]
    return given


def unread_settings(app: Celery) -> dict[str, str]:
    """Return each key that looks like a setting of ours and is not read, with the key that Celery reads in its place.

    In Django that is ``AMENDS_BACKEND`` for ``CELERY_AMENDS_BACKEND``, elsewhere for ``amends_backend``.
    """
    given = _given(app)
    found = {}
    for key in app.conf:
        name = key.lower().removeprefix(_PREFIX)
        if name == key.lower() or name in given:
            continue
        for known in difflib.get_close_matches(name, _KNOWN, n=1, cutoff=_NEAR):
            found[key] = setting_key(app, known)
    return found


def setting_key(app: Celery, name: str) -> str:
    """Return the key under which an app's configuration has a setting: ``CELERY_AMENDS_BACKEND`` in Django, or ``amends_backend``."""
    read = f"{_PREFIX}{name}"
    return f"{app.conf.prefix}{read.upper()}" if app.conf.prefix else read


def backend_hint(app: Celery) -> str:
    """Return the end of a sentence that says that `amends_backend` is not set: by which key it may have been meant."""
    meant = {key: read for key, read in unread_settings(app).items() if "backend" in read.lower()}
    return "".join(f"; {key} is not read, call it {read}" for key, read in meant.items())
