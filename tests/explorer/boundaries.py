"""The one list of points at which a process may die, freeze or be overtaken.

Each line is a call that leaves the process: a script, a publish, an acknowledgement, a service's
commit. A process is struck before it or after it. A new line is all that a new boundary needs; a new
script is one already.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol

import pytest
from kombu.exceptions import OperationalError
from kombu.message import Message
from kombu.messaging import Producer

from amends.backend.scripts import of_any_kind
from amends.errors import LogUnavailable
from amends.log.store import Store
from tests.explorer.receiver import Receiver


@dataclass(frozen=True)
class Boundary:
    """A method whose call leaves the process.

    `name` tells what a report calls one call of it, `fails` how it fails where the connection does; a
    service's failures belong to the plots.
    """

    owner: type
    method: str
    name: Callable[..., str]
    fails: type[Exception] | None = None


_PATH = re.compile(r"[a-hkwtxy](\[\d\])?(:fallback)?(:undo|:verify)?")


def _script(_: Any, name: str, calls: Any) -> str:
    arguments = map(str, calls[0][1]) if calls else ()
    path = next(filter(_PATH.fullmatch, arguments), "")
    return f"{of_any_kind(name)} {path}".rstrip()


def _about(headers: dict[str, Any]) -> str:
    """Name a message by its record: its id without saga and number."""
    return str(headers["id"]).partition(".")[2].partition(".")[2]


def _taken(verb: str) -> Callable[..., str]:
    return lambda message, **_: f"{verb} {_about(message.headers)}"


def _sent(*_: Any, headers: dict[str, Any], **__: Any) -> str:
    return f"publish {_about(headers)}"


def _done(verb: str) -> Callable[..., str]:
    return lambda _, key: f"{verb} {key.partition(':')[2]}"


BOUNDARIES = (
    Boundary(Store, "try_many", _script, LogUnavailable),
    Boundary(Store, "call_for_one", lambda _, name, *__: name, LogUnavailable),
    Boundary(Store, "call_for_each", lambda _, name, *__: name, LogUnavailable),
    Boundary(Producer, "publish", _sent, OperationalError),
    Boundary(Message, "ack", _taken("acknowledge"), OperationalError),
    Boundary(Message, "reject", _taken("reject"), OperationalError),
    Boundary(Receiver, "make", _done("effect")),
    Boundary(Receiver, "undo", _done("undo effect")),
    Boundary(Receiver, "find", _done("find effect")),
)


class Watcher(Protocol):
    """Who is told of each crossing."""

    def cross(self, boundary: Boundary, moment: str) -> None:
        """Take note of the moment before or after a call; may not come back, or fail as the call may."""

    def note(self, boundary: Boundary, arguments: tuple[Any, ...], answer: Any) -> None:
        """Take note of what a call answered, before anybody hears of it."""


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Tell a watcher of every boundary that is crossed meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for boundary in BOUNDARIES:
            patch.setattr(boundary.owner, boundary.method, _crossing(boundary, watcher))
        yield


def _crossing(boundary: Boundary, watcher: Watcher) -> Callable[..., Any]:
    original = getattr(boundary.owner, boundary.method)

    @wraps(original)
    def crossing(*arguments: Any, **options: Any) -> Any:
        name = boundary.name(*arguments, **options)
        watcher.cross(boundary, f"before {name}")
        answer = original(*arguments, **options)
        watcher.note(boundary, arguments, answer)
        watcher.cross(boundary, f"after {name}")
        return answer

    return crossing
