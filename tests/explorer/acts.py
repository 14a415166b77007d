"""What an attempt does on its stage, and what a person does to the saga."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from amends import Handle, NotDone, Refused
from tests.explorer.explored_saga import SAGA_ID
from tests.explorer.receiver import Receiver

DEADLINE: Final = 40.0
"""Seconds; shorter than what an attempt has."""


class Stage(Protocol):
    """What an act may do, beside its effect."""

    receiver: Receiver

    def die(self) -> None: ...
    def hang(self) -> None: ...
    def cancel(self) -> None: ...
    def ask(self, act: "PersonsAct") -> None: ...
    def pass_time(self, seconds: float) -> None: ...
    def sweep(self) -> None: ...


PersonsAct = Callable[[Stage, Handle[Any]], object]
"""What a person does to the saga, and outside of it."""

Act = Callable[[Stage, Callable[[], None]], None]
"""What an attempt does: with the stage, and the effect that it may have."""


def succeed(_: Stage, effect: Callable[[], None]) -> None:
    effect()


def refuse(_: Stage, __: Callable[[], None]) -> None:
    raise Refused("no")


def do_nothing(_: Stage, __: Callable[[], None]) -> None:
    raise NotDone("nobody was there")


def break_off(_: Stage, __: Callable[[], None]) -> None:
    raise OSError("no answer")


def lose_the_reply(_: Stage, effect: Callable[[], None]) -> None:
    effect()
    raise OSError("no reply")


def die_before(stage: Stage, effect: Callable[[], None]) -> None:
    stage.die()


def die_after(stage: Stage, effect: Callable[[], None]) -> None:
    effect()
    stage.die()


def hang_after(stage: Stage, effect: Callable[[], None]) -> None:
    effect()
    stage.hang()


def be_cancelled(stage: Stage, effect: Callable[[], None]) -> None:
    stage.cancel()
    effect()


def be_paused(stage: Stage, effect: Callable[[], None]) -> None:
    stage.ask(lambda _, handle: handle.pause())
    effect()


def be_paused_and_cancelled(stage: Stage, effect: Callable[[], None]) -> None:
    be_paused(stage, effect)
    stage.cancel()


def undo_by_hand(stage: Stage, handle: Handle[Any]) -> None:
    stage.receiver.undo(f"{SAGA_ID}:b")
    handle.skip("b", by="ada", why="by hand")


def take_too_long(stage: Stage, effect: Callable[[], None]) -> None:
    effect()
    for _ in range(2):
        stage.pass_time(DEADLINE * 0.6)
        stage.sweep()
