"""A stuck order, from paged to repaired, with what is on the screen and nothing else."""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amends import SagaStuck

ROOT = Path(__file__).parents[2]
COMMAND = "celery -A tasks saga"


@pytest.fixture
def type_in(system):
    """Type a command, as it is printed, and return its exit code and its JSON document."""

    def type_in(line):
        assert line.startswith(COMMAND)
        words = [sys.executable, "-m", *shlex.split(line), "--json"]
        environment = {**os.environ, **system.urls}
        ended = subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.stdout, ended.stderr
        return ended.returncode, json.loads(ended.stdout)

    return type_in


@pytest.fixture
def stuck(system, retrying):
    """Give an order whose refund was made, and never answered."""
    retrying(compensation={"max_attempts": 2, "initial_interval": 0.01, "max_interval": 0.01})
    system.fault("payments.primary", lost_undo_reply_rate=1.0)
    handle = system.start(shipping_address="9 Nowhere Road")
    with pytest.raises(SagaStuck):
        handle.wait(timeout=60)
    return handle


def explained(type_in, saga_id):
    code, document = type_in(f"{COMMAND} explain {saga_id}")
    return code, document, {each["act"]: each["command"] for each in document["remedies"]}


def test_a_stuck_order_is_found_explained_and_tried_again(system, type_in, stuck):
    code, found = type_in(f"{COMMAND} stuck")
    assert code == 1
    assert stuck.id in [each["id"] for each in found["sagas"]]

    code, why, acts = explained(type_in, stuck.id)
    assert (code, why["situation"]) == (1, "stuck")
    assert why["failures"][0]["path"] == "process_payment:undo"

    system.services.delete("/faults")
    code, done = type_in(f"{acts['retry']} --by ada --why 'the service answers again'")
    assert (code, done["results"][0]["result"]) == (0, "done")
    assert stuck.wait(timeout=60).outcome == "shipment_failed"
    assert explained(type_in, stuck.id)[1]["situation"] == "ended"
    system.assert_nothing_in_force(stuck.id)


def test_what_a_person_undid_by_hand_is_passed_over_and_no_earlier_screen_acts_again(
    system, type_in, stuck
):
    acts = explained(type_in, stuck.id)[2]
    system.services.delete("/faults")
    key = f"{stuck.id}:process_payment"
    system.services.delete(f"/payments/primary/charges/{key}").raise_for_status()
    assert type_in(f"{acts['skip']} --why 'refunded by hand'")[0] == 0
    assert stuck.wait(timeout=60).outcome == "shipment_failed"
    system.assert_nothing_in_force(stuck.id)
    code, refused = type_in(f"{acts['retry']} --why 'from the screen before'")
    assert (code, refused["results"][0]["result"]) == (4, "refused")


def test_a_message_that_nobody_takes_is_found_in_its_queue(system, type_in):
    with system.unconsumed("shipping"):
        handle = system.start()
        until = time.monotonic() + 30
        while (why := explained(type_in, handle.id)[1])["record"]["path"] != "create_shipment":
            assert time.monotonic() < until, why
        assert why["situation"] == "queued"
        assert (why["message"]["queue"], why["message"]["queue_length"]) == ("shipping", 1)
    assert handle.wait(timeout=60).outcome == "completed"


def test_who_runs_an_order_is_told_by_the_name_of_its_worker(system, type_in):
    system.fault("shipping", latency=8.0)
    handle = system.start()
    until = time.monotonic() + 30
    while (why := explained(type_in, handle.id)[1])["situation"] != "running":
        assert time.monotonic() < until, why
    # Either: those whose consumers other tests added have both.
    assert why["claim"]["worker"].partition("@")[0] in ("orders", "compensations")
    assert why["claim"]["heartbeat_age"] < 10
    system.services.delete("/faults")
    assert handle.wait(timeout=60).outcome == "completed"
