"""The states that live sagas are left in by the release before: of each the saga, how it came there, and its input.

How is a row of moves, each a verb and a record's path; see `Moves`, which makes them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

_FORWARD: Final = ("a", "b", "c", "d", "e")
_BACKWARD: Final = ("d:undo", "b:undo", "a:undo")
# What becomes of the record that is next, ? being its path.
_NEXT: Final = (
    *("send", "lose", "run ?", "overdue ?", "wait ?", "miss ?", "die ?", "crash ?"),
    *("fail ?", "fear ?", "refuse ?", "unregistered ?", "pause", "run ?; pause", "wait ?; pause"),
)
_TURNS: Final = (
    "cancel",
    "run ?; cancel",
    "run ?; cancel; finish ?",
    "wait ?; cancel",
    "miss ?; cancel",
)
_FEW: Final = ("send", "run ?", "overdue ?", "wait ?", "die ?", "fear ?", "pause", "run ?; cancel")
_BACK: Final = "do a; do b; do c; do d; refuse e"
_DONE: Final = "do a; do b; do c; do d; do e"


@dataclass(frozen=True, kw_only=True)
class State:
    """One saga to be left behind; `then` are the first moves of the release that finishes it."""

    saga: str
    moves: str
    input: dict[str, Any] = field(default_factory=dict)
    then: str = ""


def states() -> Iterator[State]:
    """Yield all."""
    for moves in _moves():
        yield State(saga="long", moves=moves)
    for moves in (*_ahead(_FEW), *_behind(_FEW[:-1]), f"{_DONE}"):
        yield State(saga="inline", moves=moves)
    yield from _with_inputs()
    yield from _under_way()


def _moves() -> Iterator[str]:
    yield ""
    yield from _ahead((*_NEXT, *_TURNS))
    yield from _behind(_NEXT)
    yield from _switches()
    yield from _rests()


def _ahead(endings: tuple[str, ...]) -> Iterator[str]:
    for n, path in enumerate(_FORWARD):
        yield from _ended([f"do {each}" for each in _FORWARD[:n]], path, endings)


def _behind(endings: tuple[str, ...]) -> Iterator[str]:
    for n, path in enumerate(_BACKWARD):
        yield from _ended([_BACK, *(f"do {each}" for each in _BACKWARD[:n])], path, endings)


def _ended(before: list[str], path: str, endings: tuple[str, ...]) -> Iterator[str]:
    for ending in endings:
        yield "; ".join([*before, ending.replace("?", path)])


def _switches() -> Iterator[str]:
    """Yield those between the two channels of ``b``: its fallback at once, or after its undo."""
    endings = "send", "run ?", "overdue ?", "wait ?", "fail ?", "fear ?", "run ?; cancel", "pause"
    for way in ("do a; fail b", "do a; fear b; do b:undo", "do a; wait b; fail b; do b:undo"):
        yield from _ended([way], "b:fallback", endings)
        yield from _ended(
            [f"{way}; do b:fallback; do c; refuse d"], "b:fallback:undo", endings[:-2]
        )
    yield from _ended(["do a; fear b"], "b:undo", endings)
    yield from _ended(["do a; fear b; do b:undo; fear b:fallback"], "b:fallback:undo", endings[:-2])


def _rests() -> Iterator[str]:
    """Yield those at rest, and what operators did to them."""
    stuck = f"{_BACK}; do d:undo; fear b:undo; do a:undo"
    several = f"{_BACK}; fail d:undo; fear b:undo; fail a:undo"
    void = "do a; fear b; fail b:undo; do a:undo"
    for way in (stuck, several, void):
        yield from (way, f"{way}; retry", f"{way}; retry; pause", f"{way}; skip b:undo")
    yield from (
        "do a; park b",
        "do a; park b; cancel",
        f"{_BACK}; park d:undo",
        "do a; park b; retry",
    )
    yield "do a" + "; garble b" * 5
    yield f"{_BACK}" + "; garble d:undo" * 5
    yield from ("do a; pause; resume", "do a; pause; cancel", "do a; run b; pause; cancel; resume")
    yield from ("do a; skip b", "do a; do b; skip c; pause")
    yield from (
        _DONE,
        "refuse a",
        "cancel",
        f"{_BACK}; do d:undo; do b:undo; do a:undo",
        "do a; cancel; do a:undo",
    )


def _with_inputs() -> Iterator[State]:
    """Yield those whose further calls do not just succeed."""
    of_long: list[tuple[str, dict[str, Any]]] = [
        ("do a; send", {"refuses": ["b"]}),
        ("do a; wait b", {"misses": {"b": 3}}),
        ("do a; wait b", {"breaks": {"b": 3}}),
        ("do a; miss b", {"breaks": {"b": 2}}),
        ("do a; do b; run c", {"refuses": ["c"]}),
        ("do a; do b; do c; wait d", {"refuses": ["d"]}),
        ("do a; do b; do c; wait d", {"breaks": {"d": 9}}),
        ("do a; do b; do c; do d; die e", {"misses": {"e": 9}}),
        (f"{_BACK}; wait d:undo", {"breaks": {"d:undo": 3}}),
        (f"{_BACK}; do d:undo; lose", {"breaks": {"b:undo": 3, "a:undo": 3}}),
        ("do a; fear b; lose", {"breaks": {"b:undo": 3}}),
        ("do a; fail b; lose", {"breaks": {"b:fallback": 3}}),
    ]
    for moves, given in of_long:
        yield State(saga="long", moves=moves, input=given)
    for moves in (
        "",
        "run a",
        "do a; wait b",
        "do a; overdue b",
        "do a; pause",
        "do a; fear b",
        "do a; do b; run c",
    ):
        yield State(saga="hasty", moves=moves)
    for moves in (
        "lose",
        "do a; run b",
        "do a; refuse b",
        "do a; run b; cancel",
        "do a; do b",
        "put a; " * 60 + "send",
    ):
        yield State(saga="bare", moves=moves)
    yield State(
        saga="inline", moves="do a; lose", input={"breaks": {"b": 3, "b:undo": 1}, "refuses": ["d"]}
    )


def _under_way() -> Iterator[State]:
    """Yield those in which workers of the release before are still at work, and what comes next is told to this one."""
    rows = [
        ("do a; run b", "finish b"),
        ("do a; run b", "finish b; finish b"),
        ("do a; do b", "finish b; finish a"),
        ("do a; run b", "soon b"),
        ("do a; wait b", "soon b"),
        ("do a; run b", "fail b"),
        ("do a; run b", "fear b"),
        ("do a; fear b", "fear b"),
        ("do a; run b", "refuse b"),
        ("do a; run b; cancel", "finish b"),
        ("do a; run b; cancel", "fear b"),
        ("do a; run b; cancel", "miss b"),
        ("do a; run b; pause", "finish b"),
        ("do a; wait b; run b", "finish b"),
        ("do a; overdue b", "finish b"),
        ("do a; fear b; run b:undo", "finish b:undo"),
        ("do a; fear b; run b:undo", "fail b:undo"),
        ("do a; fail b; run b:fallback", "finish b:fallback"),
        ("do a; fail b; run b:fallback", "fear b:fallback"),
        ("do a; do b; run c", "fail c"),
        (f"{_BACK}; run d:undo", "finish d:undo"),
        (f"{_BACK}; run d:undo", "fear d:undo"),
        (f"{_BACK}; do d:undo; do b:undo; run a:undo", "finish a:undo"),
        ("do a; do b; do c; do d; run e", "finish e"),
        (_DONE, "finish e"),
        ("do a; rest b", "idle; retry"),
        (f"{_BACK}; rest d:undo", "idle; retry"),
        ("do a" + "; garble b" * 4, "run b; garble b"),
        ("do a" + "; unregistered b" * 4, "park b"),
        # Four deaths of which it alone is guilty: one more, and it is poison.
        ("do a; die b; die b" + "; crash b" * 4 + "; run b", ""),
    ]
    for moves, then in rows:
        for saga in ("long", "inline"):
            yield State(saga=saga, moves=moves, then=then)
    yield State(saga="bare", moves="put a; " * 60, then="note")
    stuck = f"{_BACK}; do d:undo; fear b:undo; do a:undo; retry; wait b:undo"
    yield State(saga="long", moves=stuck, input={"breaks": {"b:undo": 3}})
