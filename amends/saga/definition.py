"""The definition of a saga: steps in order, their compensations, and the outcomes of failures."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from celery import Celery
from celery.app import app_or_default
from kombu.exceptions import OperationalError
from pydantic import BaseModel

from amends.backend.settings import settings_of
from amends.definition.itinerary import Dispatch
from amends.definition.same_input import is_same_input
from amends.definition.search_fields import entries_of
from amends.definition.serialization import (
    canonical_json,
    dumped,
    given_digest,
    held_to_size,
    read_back,
    validated,
)
from amends.definition.signal_models import remember_models
from amends.definition.states import SagaStatus
from amends.dispatch.children import remember_start
from amends.dispatch.coordinator import advance, publish_many
from amends.dispatch.fast_path import deliveries
from amends.dispatch.messages import plays_messages
from amends.errors import SagaAlreadyStarted
from amends.log.answers import Publish
from amends.log.delivery import Delivery
from amends.log.keys import SagaId, id_text
from amends.log.saga_log import log_of
from amends.log.starts import AlreadyThere, Conflict, Delayed, Start, Started
from amends.saga.async_starts import AsyncStarts
from amends.saga.batches import NewSaga, paired, start_in_chunks
from amends.saga.begin_times import checked_begins, tell_of_failure, tell_of_outage
from amends.saga.child_ids import check_room
from amends.saga.handle import Handle
from amends.saga.in_transaction import TransactionalStarts
from amends.saga.itinerary_builder import build_itinerary
from amends.saga.output import build_early
from amends.saga.signals import models_of
from amends.saga.stages import Stage
from amends.traces.carrier import AT_HAND
from amends.traces.sagas import beginning, begun

Input = TypeVar("Input", bound=BaseModel)

Output = TypeVar("Output", bound=BaseModel)


class Saga(AsyncStarts[Input, Output], TransactionalStarts[Input, Output]):
    """A saga's definition.

    name: name of the saga.
    input: pydantic model of its input.
    output: pydantic model of its output. It is filled by field name from the input, the outputs of done steps, and
        ``saga_id``, ``outcome``, ``error`` and ``degraded`` (a list with a sentence for each step that went to its
        fallback or was passed over, and why). A field that comes from a step must allow None.
    steps: the steps in order, and stages of several branches: `Parallel` and `Each`.
    timeout: deadline in seconds from the start; a saga that passes it is compensated. None is no deadline.
    outputs: sources of fields of `output` that several sources have: ``input.<field>``, ``<step>.<field>`` or
        ``saga.<field>``.
    dispatch: with ``"chain"`` (the default) each step is a message. With ``"inline"`` the worker that did a step goes
        on with the next one, if it consumes that step's queue, for 30 s at most and the step at hand.
    search: fields of the input that a saga is found by, as ``{"customer": "input.user_id"}``: at most 5, each a text or a
        number, of 128 characters at most, or None. See `amends.find`.

    Raises `DefinitionError`.
    """

    def __init__(
        self,
        name: str,
        *,
        input: type[Input],  # noqa: A002 - the word that a reader expects
        output: type[Output],
        steps: Sequence[Stage],
        timeout: float | None = None,
        outputs: Mapping[str, str] | None = None,
        dispatch: Dispatch = "chain",
        search: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.input = input
        self.output = output
        self.itinerary = build_itinerary(
            name,
            input,
            output,
            steps,
            timeout=timeout,
            outputs=outputs or {},
            dispatch=dispatch,
            search=search or {},
        )
        self._signals = models_of(steps)
        remember_models(name, self._signals, saga_input=input)
        remember_start(name, self._start_kept)
        records = [(name, 0) for name in self.itinerary.first_chain]
        self._first = Publish(itinerary=self.itinerary, number=1, wait=0.0, records=records)

    def __repr__(self) -> str:
        return f"<Saga {self.name}>"

    def start(
        self,
        saga_input: Input,
        *,
        saga_id: SagaId | None = None,
        at: datetime | None = None,
        after: float | None = None,
    ) -> Handle[Output]:
        """Start a saga and return its handle; the same id and input give the same saga.

        saga_input: the input, of the saga's model.
        saga_id: ``[A-Za-z0-9][A-Za-z0-9._-]{0,127}``, unique over all definitions; random by default. Of a UUID or
            an int the text is taken.
        at: when the saga begins, an aware datetime; a time that is past is now. Until then it is pending, without a message.
            Its timeout counts from then.
        after: in place of that, seconds from now.

        Of a saga that is there already `at` and `after` change nothing. With the broker away it returns the handle with a warning: the saga runs once the broker is back.
        Raises `SagaAlreadyStarted` if the id belongs to another saga, ``ValueError`` for an invalid id or input
        (pydantic's), or time, what a function in ``task_routes`` raises for the first step, and `LogUnavailable` if the log did not
        answer, asked twice: the saga may be in it unless that is `refused`. Its `saga_id` is the id; the same start under it
        starts the saga once.
        """
        new_id = uuid.uuid4().hex if saga_id is None else id_text(saga_id)
        return self._start(app_or_default(), new_id, saga_input, at=at, after=after)

    def _start_kept(self, app: Celery, saga_id: str, fields: Any, **when: Any) -> None:
        """Start a saga that is kept as a step of another one, or in the outbox; `fields` are its input's, JSON data."""
        self._start(app, id_text(saga_id), validated(self.input, fields), **when)

    def _start(self, app: Celery, new_id: str, saga_input: Input, **when: Any) -> Handle[Output]:
        text, given, *search = self._checked_input(new_id, saga_input)
        traced = settings_of(app).begins_traces or AT_HAND.get()
        with beginning(app, self.name, new_id) if traced else nullcontext("") as trace:
            message = next(iter(self._deliveries(app, [new_id], **when) or ()), None)
            how: Any = {"given": given, "search": search, "trace": trace}
            start = partial(log_of(app).starts.start_saga, new_id, self.itinerary)
            answer = self._judged(start(text, message, **how), text)
            if isinstance(answer, Conflict):
                raise SagaAlreadyStarted(new_id, answer.saga)
            self._publish(app, {new_id: answer})
        return self._handle(new_id)

    def start_many(
        self,
        inputs: Iterable[Input],
        *,
        saga_ids: Iterable[SagaId] | None = None,
        at: datetime | None = None,
        after: float | None = None,
    ) -> list[Handle[Output]]:
        """Start many sagas, up to a thousand in one round trip to the log, and return their handles.

        inputs: the inputs. Of a list, none is started if one is invalid. An iterator is read as far as the next round
            trip needs: an invalid input ends it there, and earlier sagas are started.
        saga_ids: an id for each input; random by default.
        at, after: when all of them begin, as in `start`.

        Raises what `start` does. If one raises `SagaAlreadyStarted`, the others are started all the same. `LogUnavailable`
        has `saga_ids`, those of all inputs that were read, and `answered`: so many, from the first on, are in the log.
        """
        found, app = self._starts(inputs, saga_ids), app_or_default()
        starts = list(found) if isinstance(inputs, Collection) else found
        deliveries_of = partial(self._deliveries, app, at=at, after=after)
        how = deliveries_of, self._judged, partial(self._publish, app)
        log, traced = log_of(app).starts, partial(begun, app)
        ids = start_in_chunks(log, self.itinerary, starts, *how, traced=traced)
        return [self._handle(saga_id) for saga_id in ids]

    def _starts(
        self, inputs: Iterable[Input], saga_ids: Iterable[SagaId] | None
    ) -> Iterator[NewSaga]:
        """Yield each id with what `_checked_input` returns."""
        for saga_id, value in paired(inputs, saga_ids):
            yield saga_id, *self._checked_input(saga_id, value)

    def _checked_input(self, saga_id: str, value: Input) -> tuple[str, ...]:
        """Return an input as the log keeps it, the digest of what was given, and the entries in the search index.

        Raises ``ValueError`` for an invalid input.
        """
        if self.itinerary.requires > 2:  # noqa: PLR2004 - the format that has children
            check_room(saga_id, self.itinerary)
        what = f"the input of {saga_id}"
        # As a worker will: an input that it could not read, or would read as another, is refused here.
        read = read_back(self.input, value, what)
        text = held_to_size(canonical_json(dumped(read)), what)
        search = self.itinerary.search
        entries = entries_of(search, read, what=what) if search else ()
        return text, given_digest(read), *entries

    def _judged(self, answer: Start, text: str) -> Start:
        """Return a start's answer; a conflict is none if code with another input model started the same saga."""
        match answer:
            case Conflict(_, SagaStatus() as status, stored, given_alike) if is_same_input(
                self.input, stored, text, given_alike=given_alike
            ):
                return AlreadyThere(status)
        return answer

    def _deliveries(
        self, app: Celery, saga_ids: Sequence[str], **when: Any
    ) -> Sequence[Delivery] | None:
        """Return what the log delivers at the start of each: its first message, or when it begins; None for nothing."""
        router: Any = app.amqp.router
        is_plain = not router.routes and all(each is None for each in when.values())
        if not is_plain and (times := checked_begins(app, self.itinerary, saga_ids, **when)):
            return times
        return deliveries(app, saga_ids, self._first) if self._first.records else None

    def get(self, saga_id: SagaId) -> Handle[Output]:
        """Find a saga by its id. Raises what `amends.get` does."""
        handle = self._handle(saga_id)
        _ = handle.status  # raises where there is none
        return handle

    def _handle(self, saga_id: SagaId) -> Handle[Output]:
        early = partial(build_early, self.output, self.itinerary.output)
        return Handle(saga_id, lambda fields: validated(self.output, fields), early, self._signals)

    def _publish(self, app: Celery, answers: Mapping[str, Start]) -> bool:
        """Publish what was started; answers whether the broker is there."""
        started = [saga_id for saga_id, answer in answers.items() if isinstance(answer, Started)]
        try:
            if started and self._first.records:
                publish_many(app, started, self._first)
            for saga_id, answer in answers.items():
                is_pending = answer == AlreadyThere(SagaStatus.PENDING)  # perhaps never published
                is_played = isinstance(answer, Delayed) and plays_messages(app)
                if is_pending or is_played or (answer == Started(0) and not self._first.records):
                    advance(app, saga_id)
        except OperationalError as error:
            tell_of_outage(next(iter(answers)), error)
            return False
        except Exception as error:
            if plays_messages(app):  # it ran here
                raise
            tell_of_failure(next(iter(answers)), error)
        return True
