"""What an explanation says of the branches of a stage."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from amends.definition.paths import UNDO, without_item
from amends.diagnosis.saga.explanation import Explanation, OwedCompensation, Remedy
from amends.diagnosis.saga.record_facts import Record, Situation, StageFacts

MOST_FAILURES: Final = 5
"""Records of a stage that failed for good which are told one by one."""

_MOST_NAMED: Final = 3
_VERBS: Final = {
    Situation.RUNNING: ("runs", "run"),
    Situation.LOST: ("was running, its process is gone", "were running, their processes are gone"),
    Situation.DEFERRED: ("waits for a circuit breaker", "wait for a circuit breaker"),
    Situation.RETRYING: ("waits for its next attempt", "wait for their next attempts"),
    Situation.UNREGISTERED: (
        "met a worker that did not know its task",
        "met a worker that did not know their task",
    ),
    Situation.QUEUED: ("comes next", "come next"),
    Situation.WAITING: ("waits", "wait"),
    Situation.PAUSED: ("is paused", "are paused"),
}
_ARE_SAID: Final = (Situation.PAUSED, Situation.STUCK, Situation.ENDED)
_WAITS: Final = ("waits for a place", "wait for a place")
_STUCK: Final = ("failed for good", "failed for good")
_FINISHED: Final = ("is finished", "are finished")
_AT_REST: Final = ("is at rest", "are at rest")


def says_counts(of: Explanation) -> bool:
    """Tell whether several branches are at hand, so that counts say more than what one of them is at."""
    stage = of.stage
    if stage is None or of.situation in _ARE_SAID:
        return False
    return sum(stage.at_hand.values()) + stage.waiting + stage.stuck > 1


def counts_line(stage: StageFacts) -> str:
    """Say in one line how many branches are at what."""
    counts = [(stage.at_hand.get(situation, 0), verbs) for situation, verbs in _VERBS.items()]
    counts += [(stage.waiting, _WAITS), (stage.stuck, _STUCK)]
    counts.append((stage.finished, _AT_REST if stage.is_settling else _FINISHED))
    told = ", ".join(f"{n:,} {one if n == 1 else many}" for n, (one, many) in counts if n)
    before = "Undo of " if stage.is_undo else ""
    return f"{before}{_name(stage)}: {told}."


def stage_reasons(of: Explanation, stage: StageFacts) -> Iterator[str]:
    """Say why branches stand where they are, beside what is said of each."""
    if stage.is_settling:
        yield "The saga settles: what runs may finish, and is not tried again; nothing more begins, and then comes the undo."
    if stage.waiting and stage.is_undo and stage.is_ordered:
        yield "Its branches are undone one after the other."
    elif stage.waiting:
        at_once = f"{stage.concurrency:,} item{'s' if stage.concurrency != 1 else ''}"
        yield f"At most {at_once} may be at work at once: each that ends gives its place to the next."
    if stage.stuck and of.situation is not Situation.STUCK:
        yield "The other branches go on. The saga is stuck once nothing else remains, unless an operator acts before."


def each_at_hand(of: Explanation) -> Iterator[tuple[str, Explanation]]:
    """Yield the explanation for each record at hand that it tells of, and what its sentences begin with."""
    others = of.stage.others if of.stage else ()
    yield f"{of.record.path}: " if of.record and others else "", of
    for each in others:
        position = {name: getattr(each, name) for name in vars(each)}
        yield f"{each.record.path}: ", replace(of, **position, stage=None, remaining=())


def untold(of: Explanation) -> Iterator[str]:
    """Say how many records at hand are not told of one by one."""
    more = sum(of.stage.at_hand.values()) - len(of.stage.others) - 1 if of.stage else 0
    if more > 0:
        yield f"And {more:,} more; `show --json` has all."


def told_failures(failures: Sequence[Record]) -> Sequence[Record]:
    """Return those that are told one by one: all, but of the items of a step the first ones."""
    items = [each for each in failures if without_item(each.path) != each.path]
    left_out = {each.path for each in items[MOST_FAILURES:]}
    return [each for each in failures if each.path not in left_out]


def retry_sentence(of: Explanation) -> str | None:
    """Say what a retry is good for where branches failed for good; None elsewhere."""
    many = len(of.failures)
    if of.situation is not Situation.STUCK and not (of.stage and of.stage.stuck):
        return None
    if many < 2 and of.situation is Situation.STUCK:  # noqa: PLR2004 - one is told as of any saga
        return None
    which = f"all {many:,} that failed" if many > 1 else f"{of.failures[0].path}"
    return f"After fixing the cause, retry {which} with a fresh attempt budget:"


def skip_sentence(of: Explanation, remedy: Remedy) -> str | None:
    """Say what a skip of all items of a step that failed is good for; None for another skip."""
    items = [each for each in of.failures if without_item(each.step) == remedy.step != each.step]
    if not items:
        return None
    return f"Once you have undone all {len(items):,} items of {remedy.step} by hand that failed, let the saga pass over them:"


def undo_lines(undoes: Sequence[OwedCompensation]) -> Iterator[str]:
    """Say what a cancel would undo in a saga with stages: a line for what the items of a step have in common."""
    ordered = sorted(undoes, key=lambda each: each.turn or 0)
    turns = [each.turn for each in ordered]
    for (turn, *_), group in groupby(ordered, key=_alike):
        yield f"{turn}. {undo_words([*group])}"
    if len(turns) != len(set(turns)):
        yield "Those of one number are undone at once, as far as places allow."


def undo_words(alike: Sequence[OwedCompensation]) -> str:
    """Say what undoes steps, or items of one, that are undone alike."""
    first, names = alike[0], some([each.undoes for each in alike])
    if first.child:
        deed = "undone" if first.is_certain else "cancelled"
        which = (
            f"{first.child}, its child, is" if len(alike) == 1 else f"the children of {names} are"
        )
        return f"{which} {deed}"
    sure = "" if first.is_certain else ", should it have taken effect"
    return f"{first.task} undoes {names}{sure}"


def _alike(undo: OwedCompensation) -> tuple[int, str, bool, str]:
    return undo.turn or 0, undo.task, undo.is_certain, without_item(undo.path.removesuffix(UNDO))


def some(names: Sequence[str]) -> str:
    """Name a few, and say how many more there are."""
    if len(names) <= _MOST_NAMED:
        return ", ".join(names)
    return f"{names[0]} and {len(names) - 1:,} more"


def _name(stage: StageFacts) -> str:
    if stage.items is None:
        return f"{', '.join(stage.steps[:4])}{' ...' if stage.steps[4:] else ''}"
    return f"{stage.steps[0]}, {stage.branches:,} item{'s' if stage.branches != 1 else ''}"
