"""The commands on a saga that begins later."""

import json

from tests.unit.cli.visit import Visit, visit_saga


def test_each_command_says_when_it_begins(run, app):
    visit_saga.start(Visit(guest="ada"), saga_id="v-1", after=7200.5)
    assert "  begins      in 2h" in run("show", "v-1").stdout
    shown = run("explain", "v-1")
    assert shown.exit_code == 0
    assert "It begins in 2h" in shown.stdout
    assert "Its start was delayed to " in shown.stdout
    assert "and holds no message until then." in shown.stdout
    assert "begins in 2h" in run("list").stdout
    listed = json.loads(run("list", "--json").stdout)["sagas"]
    assert [each["status"] for each in listed] == ["pending"]
    assert 7000 < listed[0]["wait"] < 7201
    assert json.loads(run("show", "v-1", "--json").stdout)["begins"].endswith("Z")
    assert json.loads(run("explain", "v-1", "--json").stdout)["begins_at"].endswith("Z")


def test_a_retry_is_refused_and_says_why(run, app):
    visit_saga.start(Visit(guest="ada"), saga_id="v-1", after=7200.5)
    refused = run("retry", "v-1", "--why", "now", "--yes")
    assert refused.exit_code == 4
    assert "it begins later" in refused.output
