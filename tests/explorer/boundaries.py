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
from kombu.message import Message
from kombu.messaging import Producer
from receiver import Receiver

from amends.store import Store


@dataclass(frozen=True)
class Boundary:
    """A method whose call leaves the process. `name` tells what a report calls one call of it."""

    owner: type
    method: str
    name: Callable[..., str]


_PATH = re.compile(r"[a-d](:fallback)?(:undo)?")


def _script(_: Any, name: str, calls: Any) -> str:
    arguments = map(str, calls[0][1]) if calls else ()
    path = next(filter(_PATH.fullmatch, arguments), "")
    return f"{name} {path}".rstrip()


def _about(headers: dict[str, Any]) -> str:
    """Name a message by its record: its id without saga and number."""
    return str(headers["id"]).partition(".")[2].partition(".")[2]


BOUNDARIES = (
    Boundary(Store, "try_many", _script),
    Boundary(Producer, "publish", lambda *_, headers, **__: f"publish {_about(headers)}"),
    Boundary(Message, "ack", lambda message, **_: f"acknowledge {_about(message.headers)}"),
    Boundary(Message, "reject", lambda message, **_: f"reject {_about(message.headers)}"),
    Boundary(Message, "requeue", lambda message, **_: f"give back {_about(message.headers)}"),
    Boundary(Receiver, "make", lambda _, path: f"effect {path}"),
    Boundary(Receiver, "undo", lambda _, path: f"undo {path}"),
)


class Watcher(Protocol):
    """Who is told of each crossing."""

    def cross(self, moment: str) -> None:
        """Take note of the moment before or after a call; may not come back."""

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
        watcher.cross(f"before {name}")
        answer = original(*arguments, **options)
        watcher.note(boundary, arguments, answer)
        watcher.cross(f"after {name}")
        return answer

    return crossing
