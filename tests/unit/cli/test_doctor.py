"""What the doctor prints, and with which code it ends."""

import json

import pytest

from amends.cli import doctor
from amends.diagnosis.deployment.findings import Diagnosis, Finding, Severity

FINE = Finding(code="log.fsync", severity=Severity.OK, what="every write is synced")
MEMORY = Finding(
    code="log.memory",
    severity=Severity.WARNING,
    what="hardly any room is left",
    where="redis://log/1",
    remedy="give it more",
)
QUEUE = Finding(
    code="queues.unconsumed",
    severity=Severity.ERROR,
    what="no worker consumes undo",
    where="undo",
    remedy="start one",
)


@pytest.fixture
def found(monkeypatch):
    """Give the way to say what the doctor finds."""

    def found(*findings):
        monkeypatch.setattr(doctor, "examine", lambda _app: Diagnosis(findings=findings))

    return found


@pytest.mark.parametrize(
    ("findings", "options", "code"),
    [
        ([FINE], [], 0),
        ([FINE], ["--strict"], 0),
        ([MEMORY, FINE], [], 0),
        ([MEMORY, FINE], ["--strict"], 1),
        ([QUEUE, MEMORY, FINE], [], 1),
        ([QUEUE], ["--json"], 1),
    ],
)
def test_an_error_is_for_a_person_and_a_warning_only_if_one_says_so(
    run, found, findings, options, code
):
    found(*findings)
    assert run("doctor", *options).exit_code == code


def test_what_is_wrong_is_told_with_its_place_and_what_to_do(run, found):
    found(QUEUE, MEMORY, FINE)
    *told, _, counts = run("doctor").stdout.splitlines()
    assert told == [
        "1 check found nothing wrong: --verbose lists them.",
        "warning  log.memory                 hardly any room is left",
        "         where: redis://log/1",
        "         do:    give it more",
        "error    queues.unconsumed          no worker consumes undo",
        "         where: undo",
        "         do:    start one",
    ]
    assert counts == "error 1, warning 1, ok 1"


def test_what_is_fine_is_listed_if_one_asks(run, found):
    found(QUEUE, FINE)
    first, *_ = run("doctor", "--verbose").stdout.splitlines()
    assert first == "ok       log.fsync                  every write is synced"


def test_programs_get_one_document(run, found):
    found(QUEUE, FINE)
    assert json.loads(run("doctor", "--json").stdout) == {
        "findings": [
            {
                "code": "queues.unconsumed",
                "severity": "error",
                "what": "no worker consumes undo",
                "where": "undo",
                "remedy": "start one",
            },
            {
                "code": "log.fsync",
                "severity": "ok",
                "what": "every write is synced",
                "where": "",
                "remedy": "",
            },
        ]
    }


def test_an_app_without_valid_settings_is_a_finding_and_no_failure(run, app):
    app.conf.amends_shard = 3
    ended = run("doctor")
    assert ended.exit_code == 1
    assert "did you mean 'amends_shards'?" in ended.stdout


def test_the_acl_is_a_line_or_a_document(run):
    line = run("doctor", "--acl", "sagas").stdout.strip()
    assert line.startswith("ACL SETUSER sagas on >PASSWORD resetkeys ~amends:* ")
    assert json.loads(run("doctor", "--acl", "sagas", "--json").stdout) == {"acl": line}
