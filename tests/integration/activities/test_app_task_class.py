"""An app's own task class (``Celery(task_cls=...)``) is also its activities': its context, its hooks, its way to publish."""

from collections import Counter
from contextvars import ContextVar

import pytest
from celery import Celery, Task
from pydantic import BaseModel

from amends import Refused, RetryPolicy, Saga, Step, activity
from amends.activities.task import ActivityTask
from amends.testing import Rehearsal
from tests.support.eventually import eventually

is_in_context: ContextVar[bool] = ContextVar("is_in_context", default=False)
hooks = Counter()
published = []
lacking = set()


class ContextTask(Task):
    """As Flask's documentation has it, with more of what such classes do."""

    acks_late = False
    autoretry_for = (Exception,)
    throws = (LookupError,)

    def __call__(self, *args, **kwargs):
        if lacking & {kwargs.get("saga_id")}:
            raise ConnectionError("no context")
        token = is_in_context.set(True)
        try:
            return self.run(*args, **kwargs)
        finally:
            is_in_context.reset(token)

    def apply_async(self, args=None, kwargs=None, **options):
        published.append(options.get("task_id"))
        return super().apply_async(args, kwargs, **options)

    def before_start(self, task_id, *_):
        hooks[task_id, "before_start"] += 1

    def on_success(self, _, task_id, *__):
        hooks[task_id, "on_success"] += 1

    def on_failure(self, _, task_id, *__):
        hooks[task_id, "on_failure"] += 1

    def after_return(self, _, __, task_id, *___):
        hooks[task_id, "after_return"] += 1


class Visit(BaseModel):
    guest: str = "ada"


class Seen(BaseModel):
    in_context: bool


class VisitResult(BaseModel):
    outcome: str
    first: bool | None
    second: bool | None


class Full(Refused):
    pass


@activity
def look_first(visit: Visit) -> Seen:
    return Seen(in_context=is_in_context.get())


@activity
def look_again(visit: Visit) -> Seen:
    return Seen(in_context=is_in_context.get())


@activity(retry=RetryPolicy(max_attempts=1), throws=(KeyError,))
def break_down(visit: Visit) -> None:
    if visit.guest == "bob":
        raise ValueError("bob")


SAGAS = {
    dispatch: Saga(
        f"visit_{dispatch}",
        input=Visit,
        output=VisitResult,
        outputs={"first": "one.in_context", "second": "two.in_context"},
        dispatch=dispatch,
        steps=[
            Step(look_first, name="one", compensation=None),
            Step(look_again, name="two", compensation=None),
            Step(break_down, name="three", compensation=None),
        ],
    )
    for dispatch in ("chain", "inline")
}


def make_app(redis_url, **options):
    app = Celery("flasks", broker=f"{redis_url}/4", task_cls=ContextTask, **options)
    app.conf.update(amends_backend=f"{redis_url}/5", amends_sweep_interval=0.2)
    app.set_current()
    app.set_default()
    app.finalize()
    return app


@pytest.fixture(scope="module")
def app(redis_url):
    app = make_app(redis_url)
    yield app
    app.close()


@pytest.mark.parametrize("dispatch", SAGAS)
def test_an_activity_runs_in_the_apps_context(work, saga_id, dispatch):
    result = SAGAS[dispatch].start(Visit(), saga_id=saga_id).wait(timeout=60)
    assert (result.outcome, result.first, result.second) == ("completed", True, True)


@pytest.mark.parametrize("dispatch", SAGAS)
def test_its_hooks_are_called_for_each_step(work, saga_id, dispatch):
    SAGAS[dispatch].start(Visit(guest="bob"), saga_id=saga_id).wait(timeout=60)
    one, two, three = f"{saga_id}.1.one", f"{saga_id}.2.two", f"{saga_id}.3.three"
    eventually(lambda: hooks[three, "after_return"])
    called = {key: count for key, count in hooks.items() if key[0] in (one, two, three)}
    assert called == {
        (task_id, hook): 1
        for task_id, end in ((one, "on_success"), (two, "on_success"), (three, "on_failure"))
        for hook in ("before_start", end, "after_return")
    }


def test_its_way_to_publish_is_gone(work, saga_id):
    SAGAS["chain"].start(Visit(), saga_id=saga_id).wait(timeout=60)
    ours = [each for each in published if each and each.startswith(saga_id)]
    assert ours == [f"{saga_id}.1.one", f"{saga_id}.2.two", f"{saga_id}.3.three"]


@pytest.mark.parametrize("dispatch", SAGAS)
def test_a_step_that_fails_before_its_claim_is_not_published_again_at_once(work, saga_id, dispatch):
    lacking.add(saga_id)
    handle = SAGAS[dispatch].start(Visit(), saga_id=saga_id)
    eventually(lambda: hooks[f"{saga_id}.1.one", "on_failure"])  # after Celery's error callbacks
    assert [each for each in published if each and each.startswith(saga_id)] == [f"{saga_id}.1.one"]
    assert handle.cancel()


def test_what_the_engine_owns_stays(app):
    task = app.tasks[break_down.name]
    assert isinstance(task, ActivityTask)
    assert isinstance(task, ContextTask)
    assert (task.acks_late, task.autoretry_for) == (True, ())
    assert task.throws == (Refused, KeyError, LookupError)


def test_an_activity_on_its_own_runs_in_it(app):
    assert look_first.task.apply(args=[{}]).get() == {"in_context": True}


def test_an_eager_saga_runs_in_it(app, saga_id, monkeypatch):
    monkeypatch.setitem(app.conf, "task_always_eager", value=True)
    assert SAGAS["chain"].start(Visit(), saga_id=saga_id).wait(timeout=60).second is True


def test_a_rehearsed_saga_runs_in_it(app):
    with Rehearsal() as rehearsal:
        assert rehearsal.run(SAGAS["inline"], Visit()).wait().first is True


def test_an_app_without_one_has_none(app, redis_url):
    other = Celery("plain", broker=f"{redis_url}/4", set_as_current=False)
    assert not isinstance(other.tasks[look_first.name], ContextTask)
