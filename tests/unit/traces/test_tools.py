"""Tools that fail, or are not there: a saga runs all the same."""

import json
import subprocess
import sys
from contextlib import contextmanager
from types import ModuleType

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from amends.traces import otel, sagas
from amends.traces.sagas import begun, caught, entered
from amends.traces.tools import Sentry
from tests.support.app import in_process_app


class Broken:
    """A tool that raises wherever it is asked."""

    def is_on(self):
        return True

    def inject(self, _headers):
        raise OSError("the agent is away")

    @contextmanager
    def entered(self, _headers):
        raise OSError("the agent is away")
        yield


@pytest.fixture
def app():
    with in_process_app("traces") as app:
        yield app


@pytest.fixture
def _broken(monkeypatch):
    monkeypatch.setattr(sagas, "TOOLS", (Broken(),))


@pytest.mark.usefixtures("_broken")
def test_a_tool_that_raises_costs_the_trace_alone(app, caplog, monkeypatch):
    caplog.set_level(
        "ERROR", logger=sagas.__name__
    )  # a worker of a test before may have set another
    assert caught(app) == ""
    assert begun(app, "job", ["one"]) == {}
    monkeypatch.setattr(sagas, "_told", set())
    with entered(app, '{"traceparent": "x"}'):
        assert "a tracing tool failed" in caplog.text


class Whole:
    """A tool that works, but for its end."""

    def is_on(self):
        return True

    def inject(self, headers):
        headers["whole"] = "1"

    @contextmanager
    def entered(self, _headers):
        yield
        raise OSError("the agent is away")


class Late(Broken):
    """A tool in which the time limit of a task strikes."""

    def inject(self, _headers):
        raise SoftTimeLimitExceeded


def test_a_tool_that_raises_costs_the_others_nothing(app, monkeypatch):
    monkeypatch.setattr(sagas, "TOOLS", (Broken(), Whole()))
    assert json.loads(caught(app)) == {"whole": "1"}
    with entered(app, '{"traceparent": "x"}'):
        pass  # nor does leaving it raise


def test_the_time_limit_of_a_task_is_no_failure_of_a_tool(app, monkeypatch):
    monkeypatch.setattr(sagas, "TOOLS", (Late(),))
    with pytest.raises(SoftTimeLimitExceeded):
        caught(app)


def test_each_failure_is_a_line_once(app, monkeypatch, caplog):
    monkeypatch.setattr(sagas, "TOOLS", (Broken(),))
    monkeypatch.setattr(sagas, "_told", set())
    for _ in range(3):
        caught(app)
    assert caplog.text.count("Traceback") == 1


def test_where_no_tool_begins_a_trace_a_start_keeps_the_one_that_was_entered(app, monkeypatch):
    monkeypatch.setattr(sagas, "TOOLS", ())
    with entered(app, '{"traceparent": "x"}'):
        assert begun(app, "job", ["one", "two"]) == dict.fromkeys(
            ["one", "two"], '{"traceparent": "x"}'
        )
        app.conf.amends_traces = False
        assert begun(app, "job", ["one"]) == {}


def test_a_carrier_of_another_tool_alone_begins_no_span_of_opentelemetry():
    span = otel.AttemptSpan("step a", '{"sentry-trace": "1-2-1"}', {})
    assert span._span is None  # noqa: SLF001 - without an SDK nothing else shows it
    span.end(None, is_answer=False)


def test_a_sentry_of_before_2_0_is_none(app, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "sentry_sdk", ModuleType("sentry_sdk"))
    assert not Sentry().is_on()


@pytest.mark.usefixtures("_broken")
def test_without_the_setting_no_tool_is_asked(app, caplog):
    app.conf.amends_traces = False
    assert caught(app) == ""
    assert begun(app, "job", ["one"]) == {}
    assert caplog.text == ""


def test_no_tool_is_imported():
    imported = "import sys, amends; print({*sys.modules} & {'sentry_sdk', 'ddtrace', 'newrelic'})"
    ran = subprocess.run(
        [sys.executable, "-c", imported], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "set()"


def test_without_opentelemetry_all_else_is_there():
    hidden = (
        "import sys; sys.modules['opentelemetry'] = None; import amends;"
        " from amends.traces import otel; print(otel.IS_INSTALLED)"
    )
    ran = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
