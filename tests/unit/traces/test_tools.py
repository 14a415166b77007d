"""Tools that fail, or are not there: a saga runs all the same."""

import subprocess
import sys
from contextlib import contextmanager

import pytest

from amends.traces import sagas
from amends.traces.sagas import begun, caught, entered
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
def test_a_tool_that_raises_costs_the_trace_alone(app, caplog):
    caplog.set_level(
        "ERROR", logger=sagas.__name__
    )  # a worker of a test before may have set another
    assert caught(app) == ""
    assert begun(app, "job", ["one"]) == {}
    with entered(app, '{"traceparent": "x"}'):
        assert "a tracing tool failed" in caplog.text


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
