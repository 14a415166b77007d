"""What the values of settings have to be."""

import re
from dataclasses import fields
from typing import Any, Final

from amends.errors import ConfigurationError

PREFIX: Final = "amends_"
"""What the name of each setting begins with in Celery's configuration."""

_MAY_BE_ZERO: Final = frozenset({"wait_replicas", "timer_spread", "remember"})
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PREFIXED: Final = re.compile(r"[^\s{}]{0,64}")  # a brace would begin another hash tag
_ARCHIVE: Final = re.compile(r"[\w.]+:\w+")
_OPERATOR: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def check_settings(settings: Any) -> None:
    """Check settings that were read, an instance of a dataclass. Raises `ConfigurationError` for the first that is wrong."""
    _check_numbers(settings)
    _check_texts(settings)
    if settings.give_up_after <= settings.hard_limit_after:
        raise ConfigurationError(
            f"{PREFIX}give_up_after is {settings.give_up_after}, not more than"
            f" {PREFIX}hard_limit_after, {settings.hard_limit_after}: a killed attempt has to be dead first"
        )


def _check_numbers(settings: Any) -> None:
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.type is bool and not isinstance(value, bool):
            raise ConfigurationError(f"{PREFIX}{each.name} is {value!r}, not True or False")
        if each.type not in (int, float):
            continue
        if (
            not isinstance(value, int | each.type)
            or isinstance(value, bool)
            or (value < 0 if each.name in _MAY_BE_ZERO else value <= 0)
        ):
            whole = "a whole" if each.type is int else "a"
            least = "0 or more" if each.name in _MAY_BE_ZERO else "above 0"
            raise ConfigurationError(
                f"{PREFIX}{each.name} is {value!r}, not {whole} number {least}"
            )


def _check_texts(settings: Any) -> None:
    namespace = settings.namespace
    if namespace is not None and not _NAMESPACE.fullmatch(str(namespace)):
        raise ConfigurationError(
            f"{PREFIX}namespace is {namespace!r}, not 1 to 64 letters, digits, '.', '_' and '-'"
        )
    if not _PREFIXED.fullmatch(str(settings.key_prefix or "")):
        raise ConfigurationError(
            f"{PREFIX}key_prefix is {settings.key_prefix!r}, not up to 64 characters without blanks and braces"
        )
    url = settings.outbox_url
    if url is not None and not (isinstance(url, str) and "://" in url):
        raise ConfigurationError(
            f"{PREFIX}outbox_url is no URL: give it the text of one of SQLAlchemy's, django://default, or env://DATABASE_URL"
        )
    operator = settings.operator
    if operator is not None and not (isinstance(operator, str) and _OPERATOR.fullmatch(operator)):
        raise ConfigurationError(
            f"{PREFIX}operator is {operator!r}: give it a function as 'module:function', or the name of an environment variable"
        )
    if settings.archive is not None and not _ARCHIVE.fullmatch(str(settings.archive)):
        raise ConfigurationError(
            f"{PREFIX}archive is {settings.archive!r}, not <module>:<name>, such as shop.archive:archive"
        )
