"""Errors of activities that are hard to write down, to pass on or to look at."""

import sys
import threading
from dataclasses import dataclass
from typing import Any

from amends import NotDone, Refused


class SoldOutError(Refused):
    """A refusal with a name."""


class ForgetfulError(NotDone):
    """Does not call the class above."""

    def __init__(self, code: int) -> None:
        self.code = code


class VagueError(NotDone):
    """Asks for a wait that is none."""

    def __init__(self) -> None:
        super().__init__("later")
        self.retry_after = "soon"  # type: ignore[assignment]


class TouchyError(NotDone):
    """Cannot be asked for its wait."""

    retry_after = property(lambda _: 1 / 0)  # type: ignore[assignment]

    def __init__(self) -> None:
        Exception.__init__(self, "later")


class Farewell(BaseException):
    """An own one that is no Exception, as those of gevent, eventlet and trio."""


class UnprintableError(Exception):
    """Fails as it is printed."""

    def __str__(self) -> str:
        text: str = "status " + self.args[7]
        return text


class MistypedError(Exception):
    """Prints as what is no text."""

    def __str__(self) -> str:
        return 7  # type: ignore[return-value]  # noqa: PLE0307 - as people do


class QuitterError(Exception):
    """Ends whoever looks at it."""

    def __repr__(self) -> str:
        sys.exit(3)

    __str__ = __repr__


class LockedError(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


class BoobyTrappedError(Exception):
    """Ends whoever unpickles it."""

    def __reduce__(self) -> Any:
        return sys.exit, (3,)


class DemandingError(Exception):
    """Is not rebuilt from its arguments."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")


@dataclass(frozen=True)
class FrozenError(Exception):
    """Lets nothing be set, its traceback neither."""

    status: int = 503


class IncomparableError(Exception):
    """Is equal to nothing that can be said."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, _other: object) -> bool:
        raise ArithmeticError


def unknown_elsewhere() -> Exception:
    """Make an error of a class that this process alone has, under a name that it can be found by."""
    made = type("LateError", (Exception,), {"__module__": __name__})
    globals()["LateError"] = made
    return made("made as it ran")


def caused(by: BaseException) -> Exception:
    """Make an error with a cause."""
    error = ValueError("caused")
    error.__cause__ = by
    return error


def in_a_circle() -> Exception:
    """Make an error that is its own cause."""
    error = ValueError("a circle")
    error.__cause__ = error
    return error
