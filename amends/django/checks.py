"""What ``manage.py check`` says of a project: rules of Django's system checks, by the tag `amends`."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, Final

from celery import Celery
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, Error, connections

from amends.backend.celery_apps import known_app
from amends.backend.settings import is_configured, setting_key, unread_settings
from amends.django.celery_app import REMEDY, celery_app
from amends.errors import ConfigurationError
from amends.outbox.adapters import alias_in, outbox_url_of
from amends.outbox.django_database import django_database_at
from amends.outbox.statements import TABLE

TAG: Final = "amends"
_TEST: Final = "test_"  # what Django calls a test's database by


def register_checks() -> None:
    """Register the rules with Django."""
    checks.register(check_settings, TAG)
    checks.register(check_table, TAG, checks.Tags.database)


def check_settings(**_: Any) -> Sequence[checks.CheckMessage]:
    """Look at the settings of Celery's app."""
    app = known_app()
    if app is None:
        text = "no Celery app of this project is made in this process"
        return [checks.Warning(text, hint=REMEDY, id="amends.W001")]
    return [*_unread(app), *_of_log(app)]


def check_table(databases: Iterable[str] | None = None, **_: Any) -> Sequence[checks.CheckMessage]:
    """Look whether the outbox's table is there, in the one of these databases that has the outbox."""
    alias = outbox_alias()
    if alias not in (databases or ()) or alias not in connections or _migrates():
        return []
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            is_there = TABLE in connection.introspection.table_names(cursor)
    except Error as error:
        text, hint = f"the database {alias!r} cannot be asked for it: {error}", "Does it run?"
        return [checks.Warning(f"is {TABLE} there? {text}", hint=hint, id="amends.W006")]
    if is_there:
        return []
    hint = f"Run `manage.py migrate amends --database={alias}`."
    text = f"the database {alias!r} has no table {TABLE}: start_on_commit() fails"
    return [checks.Warning(text, hint=hint, id="amends.W005")]


def _migrates() -> bool:
    """Tell whether this is ``manage.py migrate``, which asks for checks before it makes the table."""
    return sys.argv[1:2] == ["migrate"]


def outbox_alias() -> str:
    """Return the alias whose database has the outbox; without another word that is the default one."""
    try:
        url = outbox_url_of(celery_app())
    except ConfigurationError:
        url = None
    return (url and alias_in(url)) or str(DEFAULT_DB_ALIAS)


def _unread(app: Celery) -> Iterator[checks.CheckMessage]:
    """Yield a hint for each setting that seems to be meant for the engine. It may be the project's own."""
    for key, read in unread_settings(app).items():
        yield checks.Info(
            f"the setting {key} is not read by amends",
            hint=f"If it is meant for amends, call it {read}.",
            id="amends.I001",
        )


def _of_log(app: Celery) -> Iterator[checks.CheckMessage]:
    if not is_configured(app):
        key = setting_key(app, "backend")
        yield checks.Warning(
            f"the Celery app {app.main!r} has no {key}: no saga can be started",
            hint=f'Set it to the Redis URL of the saga log: {key} = "redis://localhost:6379/1".',
            id="amends.W002",
        )
        return
    try:
        url = outbox_url_of(app)
        if url and (alias := alias_in(url)) is not None:
            django_database_at(alias)
    except ConfigurationError as error:
        hint = "docs/operating.md lists the settings."
        yield checks.Error(str(error), hint=hint, id="amends.E001")
        return
    yield from _of_outbox(url, setting_key(app, "outbox_url"))


def _of_outbox(url: str | None, key: str) -> Iterator[checks.CheckMessage]:
    if url is None:
        yield checks.Warning(
            f"{key} is not set: if a process dies right after its commit, what start_on_commit() wrote there is started by no worker",
            hint=f'Set {key} = "django://{DEFAULT_DB_ALIAS}". If start_on_commit() is not used, add amends.W003 to'
            " SILENCED_SYSTEM_CHECKS.",
            id="amends.W003",
        )
    elif alias_in(url) is None and _name(url) not in map(_name, _databases()):
        yield checks.Warning(
            f"{key} leads to {_name(url)!r}, a database that is none of DATABASES: start_on_commit() writes to one of these",
            hint=f'Set {key} = "django://<alias>", such as "django://{DEFAULT_DB_ALIAS}".',
            id="amends.W004",
        )


def _databases() -> Iterator[str]:
    for connection in connections.all():
        yield str(connection.settings_dict["NAME"])


def _name(database: str) -> str:
    """Return the last part of a URL or of a file's path, as a test's database is called without its prefix."""
    return PurePath(database.partition("?")[0]).name.removeprefix(_TEST)
