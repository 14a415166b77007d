"""The acts that a saga takes now, each with its reason and with what it would do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from amends.cli.explain import example
from amends.cli.explanation_text import effects_of_a_cancel, remedy_sentence, wait_at
from amends.cli.formatting import clock
from amends.console.access.roles import Person
from amends.diagnosis.saga.explanation import Explanation, Remedy
from amends.diagnosis.saga.record_facts import Situation
from amends.log.control import new_act_id
from amends.saga.signals import signal_fields

_NAMES: Final = {
    "retry": "Retry",
    "skip": "Skip",
    "cancel": "Cancel",
    "pause": "Pause",
    "resume": "Resume",
    "signal": "Signal",
}


@dataclass(frozen=True, kw_only=True)
class ActForm:
    """A form of an act. `data` is an example of the JSON that it takes, None where it takes none."""

    act: str
    step: str
    title: str
    reason: str
    would: Sequence[str]
    data: str | None
    seen: int | None  #: Events that the history has to have still.
    act_id: str = field(default_factory=new_act_id)  #: A form that is sent twice is one act.


def act_forms(found: Explanation, person: Person) -> Iterator[ActForm]:
    """Yield the acts that the log would accept now, and the person may do, the likeliest first."""
    is_exact = found.situation is Situation.STUCK
    for remedy in _remedies(found):
        if not person.may(remedy.act):
            continue
        step = remedy.step or ""
        yield ActForm(
            act=remedy.act,
            step=step,
            title=" ".join([_NAMES[remedy.act], *([step] if step else [])]),
            reason=remedy_sentence(found, remedy).removesuffix(":"),
            would=[*_would(found, remedy)],
            data=_data(found, remedy),
            seen=found.events if is_exact or remedy.act == "skip" else None,
        )


def _remedies(found: Explanation) -> Iterator[Remedy]:
    """Yield the acts that help, and after them a pause: the log accepts one of whatever has not ended."""
    yield from found.remedies
    is_at_rest = found.pause or found.situation in (Situation.STUCK, Situation.ENDED)
    if not is_at_rest and "pause" not in [each.act for each in found.remedies]:
        yield Remedy(act="pause")


def _data(found: Explanation, remedy: Remedy) -> str | None:
    wait = wait_at(found, remedy.step)
    if wait and wait.wanted:
        text = example(signal_fields(found.saga, remedy.step or ""))
        return f"[{text}]" if remedy.act == "skip" and wait.wanted > 1 else text
    return None if remedy.output_fields is None else example(remedy.output_fields)


def _would(found: Explanation, remedy: Remedy) -> Iterator[str]:
    """Say what an act would do now."""
    step = remedy.step
    match remedy.act:
        case "cancel":
            yield from effects_of_a_cancel(found)
        case "retry":
            yield from _would_retry(found)
        case "skip":
            yield from _would_skip(found, remedy)
        case "pause":
            yield "What runs may finish. Nothing begins after it until the saga is resumed."
            yield from _deadline(found, "The deadline still comes at {}, and turns the saga back.")
        case "resume":
            yield f"Goes on with {found.record.path if found.record else 'what comes next'}."
        case "signal":
            yield f"The wait {step} takes what you give, and the saga goes on once it has enough."


def _would_retry(found: Explanation) -> Iterator[str]:
    paths = [each.path for each in found.failures]
    if found.record and found.record.path not in paths:
        paths.append(found.record.path)
    yield f"Begins anew, with a fresh attempt budget: {', '.join(paths) or 'what comes next'}."
    yield from _deadline(found, "Its deadline stays, at {}.")


def _would_skip(found: Explanation, remedy: Remedy) -> Iterator[str]:
    record = next((each for each in found.failures if each.step == remedy.step), found.record)
    done = "undone" if record and record.undoes else "done"
    yield f"{remedy.step} counts as {done} by hand. Nothing is called for it."
    if remedy.output_fields is not None:
        yield "The steps behind it get the output that you give."


def _deadline(found: Explanation, text: str) -> Iterator[str]:
    if found.deadline_at:
        yield text.format(clock(found.deadline_at, found.now))
