"""What a saga's history must hold, whatever happened."""

from collections import Counter
from collections.abc import Iterator, Sequence

from amends.log.history import Event

ONCE = ("step.completed", "step.compensated")


def contradictions(history: Sequence[Event]) -> list[str]:
    """Return what cannot be in a history; nothing for a good one."""
    return [
        *_ends_badly(history),
        *_twice(history),
        *_undone_out_of_order(history),
        *_switched_too_early(history),
    ]


def _ends_badly(history: Sequence[Event]) -> Iterator[str]:
    names = [event.name for event in history]
    if names.count("saga.started") != 1 or names[0] != "saga.started":
        yield "it was not started once"
    if "saga.finished" in names:
        after = [name for name in names[names.index("saga.finished") + 1 :] if name != "step.late"]
        if after:
            yield f"after its end: {', '.join(after)}"


def _twice(history: Sequence[Event]) -> Iterator[str]:
    counts = Counter((event.name, event.record) for event in history if event.name in ONCE)
    for (name, record), count in counts.items():
        if count > 1:
            yield f"{name} {count} times for {record}"


def _undone_out_of_order(history: Sequence[Event]) -> Iterator[str]:
    """Hold undos to the reverse order of start. One that was made on the way to a fallback is of another time."""
    names = [event.name for event in history]
    if "saga.compensating" not in names:
        return
    turn = names.index("saga.compensating")
    started = _first_begun(history, "step.started")
    early = set(_first_begun(history[:turn], "step.compensating"))
    undone = [
        path for path in _first_begun(history[turn:], "step.compensating") if path not in early
    ]
    wanted = [f"{path}:undo" for path in reversed(started) if f"{path}:undo" in undone]
    if undone != wanted:
        yield f"undone in the order {', '.join(undone)}; started in {', '.join(started)}"


def _first_begun(history: Sequence[Event], name: str) -> list[str]:
    return list(dict.fromkeys(event.record or "" for event in history if event.name == name))


def _switched_too_early(history: Sequence[Event]) -> Iterator[str]:
    """Hold that a fallback started only when its primary was not done, or was undone."""
    clear: set[str] = set()
    for event in history:
        path = event.record or ""
        failed = event.name == "step.failed" and event.details.get("state") == "failed"
        if failed or event.name == "step.compensated":
            clear.add(path.removesuffix(":undo"))
        if event.name == "step.started" and path.endswith(":fallback"):
            primary = path.removesuffix(":fallback")
            if primary not in clear:
                yield f"{path} started while {primary} may have taken effect"
