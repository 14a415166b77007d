"""What Grafana's own schema says of a dashboard, by the models that Grafana generates of it (grafana-foundation-sdk)."""

import enum
import json
import typing
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()  # of the kinds of panels and queries


def faults_of(document: dict[str, Any]) -> list[str]:
    """List what the schema does not know of a dashboard's JSON, and what has another type there; each by its path."""
    dashboard = Dashboard.from_json(document)
    known = json.loads(json.dumps(dashboard, cls=JSONEncoder))
    return [*_unknown(document, known, "dashboard"), *_mistyped_in(dashboard, "dashboard")]


def _unknown(given: Any, known: Any, path: str) -> Iterator[str]:
    """Yield what the models dropped or changed."""
    match given, known:
        case dict(), dict():
            for key, value in given.items():
                if key in known:
                    yield from _unknown(value, known[key], f"{path}.{key}")
                else:
                    yield f"{path}.{key} is unknown"
        case list(), list() if len(given) == len(known):
            for k, (one, other) in enumerate(zip(given, known, strict=True)):
                yield from _unknown(one, other, f"{path}[{k}]")
        case _ if given != known:
            yield f"{path}: {given!r} was read as {known!r}"


def _mistyped_in(model: Any, path: str) -> Iterator[str]:
    for name, hint in typing.get_type_hints(type(model)).items():
        if hasattr(model, name):
            yield from _mistyped(getattr(model, name), hint, f"{path}.{name}")


def _mistyped(value: Any, hint: Any, path: str) -> Iterator[str]:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if _is_model(value) and (
        hint in (object, Any) or isinstance(value, hint if not origin else ())
    ):
        yield from _mistyped_in(value, path)
    elif origin is typing.Union:
        found = [list(_mistyped(value, part, path)) for part in parts]
        yield from min(found, key=len)
    elif origin is list and isinstance(value, list):
        for k, each in enumerate(value):
            yield from _mistyped(each, parts[0], f"{path}[{k}]")
    elif origin is dict and isinstance(value, dict):
        for key, each in value.items():
            yield from _mistyped(each, parts[1], f"{path}.{key}")
    elif not _is(value, hint, parts):
        yield f"{path}: {value!r} is no {hint}"


def _is(value: Any, hint: Any, parts: tuple[Any, ...]) -> bool:
    """Tell whether a plain value is what a hint says."""
    if hint in (object, Any) or isinstance(hint, typing.TypeVar):
        return True
    if parts:
        return value in parts  # a Literal
    if issubclass(hint, enum.Enum):
        return value in [each.value for each in hint]
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _is_model(value: Any) -> bool:
    return type(value).__module__.startswith("grafana_foundation_sdk.models.")
