"""One line about an outage in ten seconds."""

import logging

import pytest

from amends.backend.outage_lines import EVERY, OutageLines

logger = logging.getLogger("amends.tests.outage")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def told(caplog):
    """Give the lines, each with its level."""
    caplog.set_level(logging.DEBUG, logger.name)
    return lambda: [(each.levelname, each.getMessage()) for each in caplog.records]


def test_the_first_line_is_written_and_those_of_the_next_seconds_are_kept_back(told):
    clock = Clock()
    lines = OutageLines(clock=clock)
    for saga_id in "abc":
        lines.warn(logger, "saga %s: the log is away", saga_id)
    clock.now += EVERY - 0.1
    lines.warn(logger, "no heartbeat")
    assert told() == [
        ("WARNING", "saga a: the log is away"),
        ("DEBUG", "saga b: the log is away"),
        ("DEBUG", "saga c: the log is away"),
        ("DEBUG", "no heartbeat"),
    ]


def test_the_next_line_says_how_many_were_kept_back(told):
    clock = Clock()
    lines = OutageLines(clock=clock)
    for _ in range(1909):
        lines.warn(logger, "no heartbeat")
    clock.now += EVERY
    lines.warn(logger, "saga %s waits", "a")
    clock.now += EVERY
    lines.warn(logger, "saga %s waits", "a")
    assert [text for level, text in told() if level == "WARNING"] == [
        "no heartbeat",
        "saga a waits (1908 such lines were kept back)",
        "saga a waits",
    ]


def test_a_line_names_who_wrote_it(caplog):
    OutageLines().warn(logger, "away")
    assert caplog.records[0].funcName == "test_a_line_names_who_wrote_it"
