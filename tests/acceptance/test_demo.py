"""``make demo`` as a person meets it in a terminal of 80 columns."""

import os
import re
import subprocess
import sys

import pytest

from demo.programs import ROOT


@pytest.fixture(scope="module")
def screen(tmp_path_factory):
    command = [sys.executable, "-m", "demo", "--directory", tmp_path_factory.mktemp("demo"), "demo"]
    environment = {**os.environ, "AMENDS_TIME_SCALE": "0.05", "COLUMNS": "80", "ORDERS": "40"}
    kept = {name: value for name, value in environment.items() if name != "AMENDS_BACKEND"}
    told = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, check=True)
    return told.stdout


def test_most_orders_are_paid_through_the_primary_and_some_through_the_fallback(screen):
    paid = {
        channel: int(re.search(rf"│ {channel} +│ +(\d+) │", screen)[1])
        for channel in ("primary", "fallback")
    }
    assert 0.6 <= paid["primary"] / sum(paid.values()) <= 0.9


def test_it_says_what_the_circuit_did(screen):
    opened, kept_away = re.search(
        r"circuit opened (\w+) .*?kept (\d+) calls?\s+away", screen, re.DOTALL
    ).groups()
    assert opened != "0"
    assert int(kept_away) > 0


def test_it_says_how_many_parcels_were_shipped_and_what_the_bank_was_asked(screen):
    words = " ".join(screen.split())
    shipped, asked, taken = map(
        int,
        re.search(
            r"parcels shipped: (\d+); captures without an answer: (\d+), .* had taken the money of (\d+):",
            words,
        ).groups(),
    )
    assert shipped > 0
    assert taken <= asked


def test_no_line_is_cut_and_no_word_broken(screen):
    _, *lines = screen.splitlines()  # the first names a directory
    assert all(len(line) <= 80 for line in lines), screen
    assert "…" not in screen
    words = " ".join(line.strip() for line in lines)
    assert (
        "every order is consistent (what is completed was done once, of the others nothing is left)"
        in words
    )
