"""What a service or a person wrote is shown escaped: a terminal obeys none of it."""

import json
import logging
import re

import pytest
from pydantic import BaseModel

from amends import CircuitBreaker, LogUnavailable, Refused, RetryPolicy, Saga, Step, activity
from amends.log.history import printable
from tests.unit.cli.visit import Visit

# Sets the title, clears the screen, paints, rings, goes back to the line's begin, makes a line of its own, turns the text
# around, and clears again by a C1 control.
EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[31mall is well\x1b[0m\rsaga o1: completed\nfake: line\u202e\u009b2J\x7f\u2028"
OWN_STYLES = re.compile(r"\x1b\[[\d;]*m")


class Ending(BaseModel):
    outcome: str


@activity(retry=RetryPolicy(max_attempts=1))
def host(visit: Visit) -> None: ...


@activity(retry=RetryPolicy(max_attempts=1))
def send_away(visit: Visit, _: None) -> None:
    raise OSError(EVIL)


@activity
def feed(visit: Visit) -> None:
    raise Refused(EVIL)


evil_bank = CircuitBreaker("evil_bank", failure_on=(OSError,))
hosting = Saga(
    "hosting",
    input=Visit,
    output=Ending,
    steps=[Step(host, compensation=send_away), Step(feed, compensation=None)],
)


@pytest.fixture
def evil(app, caplog):
    app.conf.task_always_eager = True
    app.set_current()
    with caplog.at_level(logging.INFO, logger="amends.sagas"):
        hosting.start(Visit(guest=EVIL), saga_id="o1")
    return app


@pytest.mark.parametrize(
    "command",
    [
        "stuck",
        "list",
        "list --saga hosting",
        "show o1",
        "show o1 --input",
        "explain o1",
        "history o1",
        "stats",
        "retry o1 --dry-run",
        "skip o1 feed --why x",
        "breakers",
        "breaker evil_bank",
    ],
)
def test_a_command_prints_nothing_that_a_terminal_obeys(evil, run, command):
    run("breaker", "evil_bank", "open", "--by", EVIL, "--why", EVIL)
    shown = run(*command.split(), color=True)
    assert shown.output
    text = OWN_STYLES.sub("", shown.output)
    assert [each for each in set(text) if not each.isprintable() and each != "\n"] == []
    assert "\x1b[31mall is well" not in shown.output
    assert not any(line.startswith("fake: line") for line in text.splitlines())


@pytest.mark.parametrize(
    "command", ["stuck", "list", "show o1", "show o1 --input", "explain o1", "history o1"]
)
def test_json_is_escaped_and_still_the_same_data(evil, run, command):
    shown = run(*command.split(), "--json").stdout
    assert [each for each in set(shown) if not each.isprintable() and each != "\n"] == []
    found = [json.loads(line) for line in shown.splitlines()]
    assert any(EVIL in text for text in _texts(found))


def test_the_error_that_ends_a_command_is_escaped(app, run, monkeypatch):
    def refuse(_):
        raise LogUnavailable(EVIL)  # as whatever answers at the log's address may word it

    monkeypatch.setattr("amends.archive.lookup.log_of", refuse)
    text = OWN_STYLES.sub("", run("show", "o1", color=True).stderr)
    assert "all is well" in text
    assert [each for each in set(text) if not each.isprintable() and each != "\n"] == []


def _texts(document):
    match document:
        case dict():
            return [text for each in document.values() for text in _texts(each)]
        case list():
            return [text for each in document for text in _texts(each)]
        case str():
            return [document]
    return []


def test_a_line_of_the_log_is_one_line(evil, caplog):
    records = caplog.get_records("setup")
    lines = [record.getMessage() for record in records if record.name == "amends.sagas"]
    assert any("all is well" in line for line in lines)
    assert [line for line in lines if not line.isprintable()] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("naïve 日本 10\u00a0000\u202f€", "naïve 日本 10\u00a0000\u202f€"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[2J\u202e\u009b", "\\x1b[2J\\u202e\\x9b"),
    ],
)
def test_a_text_is_shown_as_it_is_but_for_what_is_obeyed(text, shown):
    assert printable(text) == shown
