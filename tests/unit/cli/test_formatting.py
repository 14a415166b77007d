"""Times as people read and write them."""

import click
import pytest

from amends.cli.formatting import clock, duration, moment, seconds_of


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1.0, "0.0s"),
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (12.3, "12s"),
        (60, "1m"),
        (200, "3m 20s"),
        (3600, "1h"),
        (3605, "1h"),
        (90061, "1d 1h"),
    ],
)
def test_a_time_span_is_told_in_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800)],
)
def test_a_time_span_is_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "10x", "-5", "ten", "10m!"])
def test_what_is_no_time_span_is_told_how_one_looks(text):
    with pytest.raises(click.BadParameter, match="write 90s, 10m, 1h30m or 2d"):
        seconds_of(text)


def test_a_moment_is_utc_to_the_millisecond():
    assert moment(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"


def test_a_moment_of_today_has_no_date():
    now = 1_700_000_000.0  # 2023-11-14T22:13:20Z
    assert clock(now - 60.9, now) == "22:12:19Z"
    assert clock(now - 86400, now) == "2023-11-13 22:13:20Z"
