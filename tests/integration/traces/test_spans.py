"""The spans that OpenTelemetry gets of a saga, without its instrumentation of Celery."""

import json
import uuid

import pytest
from celery import signals
from pydantic import BaseModel

from amends import Child, Parallel, Refused, Saga, SagaStatus, Step, Wait, get
from amends.definition.serialization import canonical_json
from amends.dispatch.coordinator import publish
from amends.dispatch.fast_path import deliveries
from amends.log.answers import Publish
from amends.log.saga_log import log_of
from amends.outbox.delivery import start_entry
from amends.outbox.entry import Entry
from amends.traces.carrier import at_hand
from amends.traces.sagas import caught
from amends.worker.sweep import Sweep
from tests.support.engine_saga import (
    Job,
    JobResult,
    do_a,
    inline_saga,
    job_saga,
    undo_a,
    without_effect,
)
from tests.support.eventually import eventually
from tests.support.log_view import view_of

context = pytest.importorskip("opentelemetry.context")
trace = pytest.importorskip("opentelemetry.trace")
sdk = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
in_memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

pytestmark = pytest.mark.usefixtures("swept")


RESTS = {SagaStatus.COMPLETED, SagaStatus.COMPENSATED, SagaStatus.STUCK}


class Approval(BaseModel):
    granted: bool


waiting_saga = Saga(
    "waiting",
    input=Job,
    output=JobResult,
    outputs={"part": "a.part"},
    steps=[
        Step(do_a, name="a", compensation=undo_a),
        Wait("approval", Approval, timeout=600.0),
        Step(do_a, name="b", compensation=undo_a),
    ],
)
parent_saga = Saga(
    "parent",
    input=Job,
    output=JobResult,
    outputs={"part": "a.part", "job_id": "input.job_id"},
    steps=[Step(do_a, name="a", compensation=undo_a), Child(job_saga, name="child")],
)
wide_saga = Saga(
    "abreast",
    input=Job,
    output=JobResult,
    outputs={"part": "a.part"},
    steps=[
        Parallel(
            Step(do_a, name="a", compensation=undo_a),
            Step(do_a, name="b", compensation=undo_a),
        ),
        Step(do_a, name="c", compensation=undo_a),
    ],
)


@pytest.fixture
def tracer(monkeypatch):
    """Give a tracer of a provider that is this test's alone."""
    provider, exporter = sdk.TracerProvider(), in_memory.InMemorySpanExporter()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    tracer = trace.get_tracer("web", tracer_provider=provider)
    tracer.spans = exporter.get_finished_spans
    return tracer


@pytest.fixture
def request_span(tracer):
    """Run the test in a request."""
    with tracer.start_as_current_span("request") as span:
        yield span


def spans_of(tracer, saga_id):
    """Give a saga's spans by their names, once it has ended; of several with one name the last."""
    found = [each for each in tracer.spans() if each.attributes.get("amends.saga_id") == saga_id]
    return {each.name: each for each in found}


def ended(tracer, saga_id, *, name=""):
    """Wait until the saga has come to rest, and for a span if one is named, and give its spans."""
    eventually(lambda: get(saga_id).status in RESTS)
    eventually(lambda: not name or name in spans_of(tracer, saga_id))
    return spans_of(tracer, saga_id)


@pytest.mark.parametrize("saga", [job_saga, inline_saga])
def test_attempts_are_children_of_the_saga_s_span(work, saga_id, tracer, request_span, saga):
    saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    spans = ended(tracer, saga_id)
    own = spans[f"saga {saga.name}"]
    assert own.parent.span_id == request_span.get_span_context().span_id
    assert list(spans) == [f"saga {saga.name}", "step a", "step b", "step c"]
    assert {each.parent.span_id for each in list(spans.values())[1:]} == {own.context.span_id}
    assert {each.context.trace_id for each in spans.values()} == {own.context.trace_id}
    assert dict(spans["step b"].attributes) == {
        "amends.saga": saga.name,
        "amends.saga_id": saga_id,
        "amends.step": "b",
        "amends.record": "b",
        "amends.channel": "primary",
        "amends.attempt": 1,
    }


def test_a_saga_that_no_request_starts_has_a_trace_of_its_own(work, saga_id, tracer):
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    spans = ended(tracer, saga_id)
    assert spans["saga job"].parent is None
    assert len({each.context.trace_id for each in spans.values()}) == 1


def test_sagas_that_are_started_at_once_have_a_span_each(work, tracer, request_span):
    jobs = [Job(job_id=uuid.uuid4().hex) for _ in range(3)]
    handles = job_saga.start_many(jobs, saga_ids=[each.job_id for each in jobs])
    owns = set()
    for handle in handles:
        handle.wait(60)
        spans = ended(tracer, handle.id)
        owns.add(spans["saga job"].context.span_id)
        assert spans["step c"].parent.span_id == spans["saga job"].context.span_id
    assert len(owns) == len(jobs)


def test_failures_and_compensations(work, saga_id, tracer, request_span):
    work.script(f"{saga_id}:a", without_effect(OSError("away")))
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    spans = ended(tracer, saga_id, name="turn back job")
    tries = [each for each in tracer.spans() if each.name == "step a"]
    assert [(each.attributes["amends.attempt"], each.status.is_ok) for each in tries] == [
        (1, False),
        (2, True),
    ]
    assert [each.attributes["exception.type"] for each in tries[0].events] == ["OSError"]
    assert spans["step c"].status.is_ok
    assert not spans["step c"].events
    assert spans["step c"].attributes["amends.refused"] == "no"
    assert {"undo a", "undo b"} <= spans.keys()
    assert spans["turn back job"].attributes["amends.outcome"] == "no_c"


def test_a_fallback_tells_its_channel(work, saga_id, tracer, request_span):
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    ended(tracer, saga_id)
    channels = [
        each.attributes["amends.channel"] for each in tracer.spans() if each.name == "step b"
    ]
    assert channels in (["primary"], ["primary", "fallback"])


def test_a_saga_that_is_stuck_is_an_error(work, saga_id, tracer, request_span):
    work.script(f"{saga_id}:b", without_effect(Refused("no")))
    work.script(f"{saga_id}:a:undo", *[without_effect(OSError("away"))] * 3)
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert not ended(tracer, saga_id, name="stuck job")["stuck job"].status.is_ok


def test_a_wait_and_its_signal_are_in_the_trace_and_the_signaller_s_is_linked(
    work, saga_id, tracer
):
    with tracer.start_as_current_span("request"):
        handle = waiting_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: "wait approval" in spans_of(tracer, saga_id))
    with tracer.start_as_current_span("another request") as other:
        handle.signal("approval", Approval(granted=True))
    handle.wait(60)
    spans = ended(tracer, saga_id)
    (link,) = spans["signal approval"].links
    assert link.context.trace_id == other.get_span_context().trace_id
    assert len({each.context.trace_id for each in spans.values()}) == 1
    assert spans["step b"].parent.span_id == spans["saga waiting"].context.span_id


def test_a_child_is_in_its_parent_s_trace(work, saga_id, tracer, request_span):
    parent_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    own = ended(tracer, saga_id)["saga parent"]
    spans = ended(tracer, f"{saga_id}.child")
    assert spans["saga job"].parent.span_id == own.context.span_id
    assert spans["step c"].context.trace_id == own.context.trace_id


def test_branches_are_side_by_side(work, saga_id, tracer, request_span):
    wide_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    spans = ended(tracer, saga_id)
    own = spans["saga abreast"].context.span_id
    assert {spans[f"step {name}"].parent.span_id for name in "abc"} == {own}


def test_a_saga_that_begins_later_is_in_the_trace_of_its_start(work, saga_id, tracer, request_span):
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id, after=0.3).wait(60)
    spans = ended(tracer, saga_id)
    assert spans["step a"].parent.span_id == spans["saga job"].context.span_id


@pytest.fixture
def published():
    """Collect the headers of the messages that are published."""
    found = []

    def note(headers, **_):
        found.append(dict(headers))

    signals.before_task_publish.connect(note)
    yield found
    signals.before_task_publish.disconnect(note)


def test_what_a_sweep_publishes_goes_on_with_the_trace(app, work, saga_id, tracer, published):
    log = log_of(app)
    with tracer.start_as_current_span("request") as request:
        carrier = caught(app)
    text = canonical_json({"job_id": saga_id, "amount": 1})
    log.starts.start_saga(saga_id, job_saga.itinerary, text, trace=carrier)
    work.let_wait(log, saga_id)
    Sweep(app, may_judge=lambda: True).heal(saga_id)
    job_saga.get(saga_id).wait(60)
    spans = ended(tracer, saga_id)
    messages = [each for each in published if each["root_id"] == saga_id]
    assert [each["traceparent"] for each in messages] == [json.loads(carrier)["traceparent"]] * 3
    assert {spans[f"step {name}"].parent.span_id for name in "abc"} == {
        request.get_span_context().span_id
    }


def test_a_message_that_the_log_delivers_brings_the_trace(app, saga_id, tracer, request_span):
    what = Publish(
        itinerary=job_saga.itinerary, number=1, wait=0.0, records=[("a", 0), ("b", 0), ("c", 0)]
    )
    with at_hand({saga_id: caught(app)}):
        publish(app, saga_id, what)  # by kombu, which connects
        (delivery,) = deliveries(app, [saga_id], what) or ()
    headers = json.loads(delivery.text)["headers"]
    assert f"{request_span.get_span_context().trace_id:032x}" in headers["traceparent"]
    assert "amends0trace" not in delivery.text


def test_a_start_in_the_outbox_is_in_the_trace_of_its_transaction(
    app, work, saga_id, tracer, request_span
):
    text = canonical_json({"job_id": saga_id, "amount": 1})
    entry = Entry.of(saga_id, "job", text, at=None, after=None, trace=caught(app))
    token = context.attach(context.Context())  # a relay's
    try:
        start_entry(app, entry)
    finally:
        context.detach(token)
    job_saga.get(saga_id).wait(60)
    own = ended(tracer, saga_id)["saga job"]
    assert own.parent.span_id == request_span.get_span_context().span_id


def test_without_the_setting_there_is_neither_span_nor_header_nor_field(
    app, work, saga_id, tracer, request_span, published
):
    app.conf.amends_traces = False
    try:
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id).wait(60)
    finally:
        app.conf.amends_traces = True
    log = log_of(app)
    assert view_of(log).client.hget(view_of(log).keys_of(saga_id)[0], "trace") is None
    assert spans_of(tracer, saga_id) == {}
    assert [each for each in published if "traceparent" in each] == []
