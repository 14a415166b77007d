"""What a careless caller, a broken message or an absent server does: a clear error, and nothing is lost."""

import socket
import subprocess
import sys
from contextlib import suppress

import pytest
import redis
from celery import Celery, signals
from pydantic import BaseModel, field_validator

import amends
from amends import (
    ConfigurationError,
    LogUnavailable,
    Refused,
    RetryPolicy,
    Saga,
    SagaStuck,
    Step,
    UnreadableData,
    activity,
)
from amends.backend.client import client_of
from amends.definition.itinerary import Itinerary
from amends.definition.serialization import LARGEST
from amends.dispatch.messages import producers_of
from demo.ports import free_port
from tests.support.engine_saga import Job, do_a, job_saga
from tests.support.eventually import eventually
from tests.support.log_view import view_of


class Letter(BaseModel):
    text: str


class LetterResult(BaseModel):
    outcome: str
    error: str | None
    copy_of: str | None


class Copy(BaseModel):
    copy_of: str


@activity
def copy(letter: Letter) -> Copy:
    times = 2 if letter.text.startswith("twice") else 1
    return Copy(copy_of=letter.text * times)


letter_saga = Saga(
    "letter",
    input=Letter,
    output=LetterResult,
    steps=[Step(copy, compensation=None, outcome="lost")],
)


def test_a_payload_of_a_megabyte_goes_through(work, saga_id):
    letter = Letter(text="x" * (LARGEST - 100))
    result = letter_saga.start(letter, saga_id=saga_id).wait(timeout=60)
    assert (result.outcome, len(result.copy_of)) == ("completed", LARGEST - 100)


def test_a_larger_input_is_refused_with_its_size(app, log, saga_id):
    with pytest.raises(
        ValueError, match=r"the input of \w+ has 1,048,5\d\d bytes as JSON, .* 1,048,576"
    ):
        letter_saga.start(Letter(text="x" * (LARGEST - 8)), saga_id=saga_id)
    assert not view_of(log).client.exists(view_of(log).saga_key(saga_id))


def test_s16_a_larger_output_is_an_unknown_outcome_with_its_size(work, saga_id, monkeypatch):
    steps = tuple(
        (
            step.model_copy(
                update={"activity": step.activity.model_copy(update={"max_attempts": 1})}
            ),
        )
        for step in letter_saga.itinerary.steps
    )
    hurried = Itinerary(
        saga="letter", timeout=None, stages=steps, output=letter_saga.itinerary.output
    )
    monkeypatch.setattr(letter_saga, "itinerary", hurried)
    handle = letter_saga.start(Letter(text="twice" + "x" * 600_000), saga_id=saga_id)
    assert f"the output of {copy.name} has 1,200,0" in handle.wait(timeout=60).error
    assert handle.snapshot().steps["copy"].state == "unknown"


@pytest.fixture
def other_app(app):
    """Make apps whose log is elsewhere, current for the test."""
    made = []

    def make(backend):
        app = Celery("other", broker="memory://")
        app.conf.amends_backend = backend
        app.set_current()
        made.append(app)

    yield make
    app.set_current()
    for each in made:
        each.close()


def test_a_log_that_refuses_connections_is_said_so(other_app, saga_id):
    other_app(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(LogUnavailable, match="the saga log at amends_backend cannot be reached"):
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id)


def connections_to(server):
    """Count those that nobody has accepted yet."""
    server.settimeout(0)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_a_log_that_never_answers_is_said_so_after_three_tries_of_a_second(other_app, saga_id):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        other_app(url)
        with pytest.raises(LogUnavailable):
            job_saga.get(saga_id)
        # Before redis-py 8 a connection that is greeted by nothing is not tried again.
        assert connections_to(silent) == (3 if redis.VERSION >= (8,) else 1)
        assert client_of(url).get_connection_kwargs()["socket_timeout"] == 1.0


def test_a_process_without_an_app_is_told_so(tmp_path):
    script = tmp_path / "bare.py"
    script.write_text(
        "import pydantic\n"
        "import amends\n"
        "class Job(pydantic.BaseModel): ...\n"
        "@amends.activity\n"
        "def work(job: Job) -> None: ...\n"
        "saga = amends.Saga('job', input=Job, output=Job, steps=[amends.Step(work, compensation=None)])\n"
        "saga.start(Job(), saga_id='x')\n",
        "utf-8",
    )
    ended = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,  # where there is no celeryconfig.py, which Celery's stand-in app would read
        capture_output=True,
        text=True,
        check=False,
    )
    last = ended.stderr.strip().splitlines()[-1]
    assert last == (
        f"{ConfigurationError.__module__}.ConfigurationError: no Celery app is current in this thread:"
        " import the module that makes yours first, and for other threads call app.set_default() there"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            "amends_backend='redis://127.0.0.1/3', amends_compensations_queue='undo'",
            "amends_compensations_queue in Celery's configuration, did you mean 'amends_compensation_queue'?",
        ),
        (
            "amends_bakend='redis://127.0.0.1/3'",
            "amends_bakend in Celery's configuration, did you mean 'amends_backend'?",
        ),
    ],
)
def test_a_misspelt_setting_stops_the_worker_and_says_which(redis_url, tmp_path, settings, said):
    (tmp_path / "misspelt.py").write_text(
        "from celery import Celery\nimport amends\n"
        f"app = Celery('misspelt', broker='{redis_url}/2')\n"
        f"app.conf.update({settings})\n",
        "utf-8",
    )
    ended = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "misspelt", "worker", "--pool", "solo"],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode != 0
    assert f"unknown setting {said}" in ended.stderr


@pytest.mark.parametrize(
    "headers", [{}, {"task": do_a.name, "id": "garbage"}], ids=["no task", "a task"]
)
def test_a_message_that_cannot_be_decoded_is_dropped_and_the_worker_goes_on(
    work, app, saga_id, headers
):
    with producers_of(app).acquire(block=True) as producer:
        producer.publish(
            b"\xff\x00 no JSON",
            routing_key="work",
            exchange="work",
            headers=headers,
            content_type="application/json",
            content_encoding="binary",
        )
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    assert handle.wait(timeout=60).outcome == "completed"


def test_a_message_for_a_step_that_the_saga_does_not_have_changes_nothing(work, app, log, saga_id):
    log.starts.start_saga(saga_id, job_saga.itinerary, '{"job_id":"x"}')
    before = log.read_saga(saga_id).fields
    message = app.signature(do_a.name, kwargs={"saga_id": saga_id, "step": "aa"}, immutable=True)
    message.apply_async(task_id=f"{saga_id}.1.aa")
    eventually(lambda: work.ended[f"{saga_id}.1.aa"] == 1)
    assert log.read_saga(saga_id).fields == before


@pytest.fixture
def unreadable(work, app, log, saga_id, monkeypatch):
    """Give a saga whose stored input no worker can read, parked by the first one."""
    monkeypatch.setitem(app.conf, "amends_poison_after", 1)
    log.starts.start_saga(saga_id, job_saga.itinerary, '{"job_id":["no","string"]}')
    work.let_wait(log, saga_id)
    handle = job_saga.get(saga_id)
    eventually(lambda: handle.status == "stuck")
    return handle


def test_o21b_an_input_that_the_code_of_today_cannot_read_parks_the_saga_before_any_call(
    work, unreadable
):
    snapshot = unreadable.snapshot()
    step = snapshot.steps["a"]
    assert (step.state, step.attempts, snapshot.outcome) == ("pending", 0, None)
    assert work.records(unreadable.id) == []
    assert snapshot.reason == (
        "a cannot read the stored input as Job: job_id: Input should be a valid string [string_type];"
        " let the code read it (a new field needs a default), or deploy the code that wrote it"
    )


def test_o21b_a_parked_saga_goes_on_by_itself_once_the_deploy_is_mended(work, log, unreadable):
    let_be_looked_at(log, unreadable)
    assert unreadable.status == "stuck"
    view = view_of(log)
    view.client.hset(view.saga_key(unreadable.id), "input", '{"job_id":"x","amount":1}')
    view.make_due(unreadable.id)
    eventually(lambda: unreadable.status == "completed")
    events = [each.name for each in unreadable.history()]
    assert events.count("saga.unparked") == 1


def let_be_looked_at(log, handle):
    """Let a sweep look at a saga."""
    view_of(log).make_due(handle.id)
    eventually(lambda: view_of(log).due_at(handle.id) > 0)


def test_a_stored_output_that_its_undo_cannot_read_parks_the_saga(
    work, app, log, saga_id, monkeypatch
):
    monkeypatch.setitem(app.conf, "amends_poison_after", 1)
    view = view_of(log)

    def forget_and_refuse(_):
        view.client.hset(view.saga_key(saga_id), "1.x", '{"piece":"a"}')
        raise Refused("no")

    work.script(f"{saga_id}:c", forget_and_refuse)
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    with pytest.raises(
        SagaStuck, match="a:undo cannot read the stored output of a as Part: part: Field required"
    ):
        handle.wait(timeout=60)
    view.client.hset(view.saga_key(saga_id), "1.x", '{"part":"a"}')
    handle.retry()
    handle.wait(timeout=60)
    assert (handle.status, work.world.in_force & {f"{saga_id}:a"}) == ("compensated", set())


def test_an_output_that_wait_cannot_read_is_said_with_the_way_to_read_it(work, log, saga_id):
    handle = job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    handle.wait(timeout=60)
    view_of(log).client.hset(view_of(log).saga_key(saga_id), "input", "{}")
    with pytest.raises(
        UnreadableData, match="cannot read its output: job_id: Field required"
    ) as told:
        handle.wait(timeout=60)
    assert told.value.__context__ is None  # pydantic's error quotes the customer's data
    assert amends.get(saga_id).wait(timeout=60)["outcome"] == "completed"


class Fragile(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def look_up(cls, text: str) -> str:
        return {"known": text}[text]


@activity
def handle_fragile(fragile: Fragile) -> None:
    """Do nothing."""


def test_an_input_whose_validator_fails_in_its_own_way_parks_the_saga_too(
    work, app, saga_id, monkeypatch
):
    monkeypatch.setitem(app.conf, "amends_poison_after", 1)
    steps = [Step(handle_fragile, compensation=None, outcome="lost")]
    fragile = Saga(
        "fragile", input=Letter, output=LetterResult, outputs={"copy_of": "input.text"}, steps=steps
    )
    handle = fragile.start(Letter(text="unknown"), saga_id=saga_id)
    with pytest.raises(SagaStuck, match="cannot read the stored input as Fragile: KeyError"):
        handle.wait(timeout=60)


class Patient(BaseModel):
    age: int


@activity(retry=RetryPolicy(max_attempts=1))
def examine(letter: Letter) -> Patient:
    return {"age": letter.text}


@activity(retry=RetryPolicy(max_attempts=1))
def ask_a_service(letter: Letter) -> None:
    Patient.model_validate_json(f'{{"age": "{letter.text}"}}')


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
@pytest.mark.parametrize("failing", [examine, ask_a_service])
def test_a_value_that_does_not_validate_is_told_to_nobody(work, saga_id, caplog, failing, dispatch):
    heard = []
    listen = signals.task_failure.connect(
        lambda **told: heard.append(repr(told["exception"]) + str(told["einfo"])), weak=False
    )
    steps = [Step(failing, compensation=None)]
    strict = Saga(
        "strict",
        input=Letter,
        output=LetterResult,
        outputs={"copy_of": "input.text"},
        steps=steps,
        dispatch=dispatch,
    )
    with caplog.at_level("DEBUG"):
        handle = strict.start(Letter(text="diagnosis"), saga_id=saga_id)
        error = handle.wait(timeout=60).error
        eventually(lambda: heard)
    signals.task_failure.disconnect(listen)
    assert error.startswith("ValidationError: age: Input should be a valid integer")
    told = [error, caplog.text, *heard, *map(repr, handle.history())]
    assert [each for each in told if "diagnosis" in each] == []
