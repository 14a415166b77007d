"""One act on a batch of sagas: in one round trip where the act needs nothing of a saga but its id."""

from collections.abc import Mapping, Sequence
from typing import Final

from amends.errors import ActRefused, ConfigurationError, LogUnavailable, SagaError, UnknownSaga
from amends.log.answers import Advance, Continuation, Late
from amends.log.control import ManyName, cancelled_error
from amends.log.saga_log import SagaLog
from amends.saga.bulk import ActName, Line, Operation, Result, Target, Verdict, perform_one

_TOGETHER: Final[Mapping[ActName, ManyName]] = {
    "retry": "retry_saga",
    "cancel": "cancel_saga",
    "pause": "pause_saga",
    "resume": "resume_saga",
}


def perform_batch(
    log: SagaLog, operation: Operation, targets: Sequence[Target], line: Line, *, is_listed: bool
) -> list[Result]:
    """Act on these sagas, and return a result for each, in order.

    Those that the log did not answer for are unavailable, and of an act that takes the sagas one by one those behind it not tried.

    is_listed: whether each is an act of its own in the list of acts, and not a part of one on many.
    """
    name = _TOGETHER.get(operation.act)
    if name is None:
        return _one_by_one(operation, targets, line, is_listed=is_listed)
    try:
        control = log.control if is_listed else log.control.unlisted
        answers = control.act_on_sagas(
            name,
            [(target.id, target.seen) for target in targets],
            actor={"by": operation.by, "why": operation.why},
            act_id=operation.act_id,
            error=cancelled_error(operation.why),
        )
    except (LogUnavailable, ConfigurationError) as error:
        answers = [error] * len(targets)
    pairs = zip(targets, answers, strict=True)
    return [_result(log, target.id, answer, line) for target, answer in pairs]


def _one_by_one(
    operation: Operation, targets: Sequence[Target], line: Line, *, is_listed: bool
) -> list[Result]:
    results: list[Result] = []
    for target in targets:
        if results and results[-1].verdict in (Verdict.UNAVAILABLE, Verdict.NOT_TRIED):
            results.append(Result(id=target.id, verdict=Verdict.NOT_TRIED))
        else:
            results.append(perform_one(operation, target, line, is_listed=is_listed))
    return results


def _result(log: SagaLog, saga_id: str, answer: Continuation | SagaError, line: Line) -> Result:
    match answer:
        case ActRefused():
            return Result(id=saga_id, verdict=Verdict.REFUSED, reason=answer.reason)
        case UnknownSaga():
            return Result(id=saga_id, verdict=Verdict.UNKNOWN, reason="there is no such saga")
        case SagaError():
            return Result(id=saga_id, verdict=Verdict.UNAVAILABLE, reason=str(answer))
        case Late():
            return Result(id=saga_id, verdict=Verdict.REFUSED, reason=_where(log, saga_id))
        case Advance():
            is_published = line.send_advance(saga_id, answer.number)
            return Result(id=saga_id, verdict=Verdict.DONE, is_published=is_published)
    return Result(id=saga_id, verdict=Verdict.DONE)


def _where(log: SagaLog, saga_id: str) -> str:
    """Say why a cancel came too late."""
    try:
        return f"it is {log.read_status(saga_id)}"
    except SagaError:
        return "it has ended, or compensates already"
