"""A saga that was removed is shown from the archive, or as far as its id is remembered."""

import json

import pytest

from amends.worker.retention import remove_ended
from tests.support.archives import PATH, kept


@pytest.fixture
def removed(app, waiting):
    """Give `removed("e-1")`: a saga that ended and was removed."""

    def remove(saga_id):
        app.conf.update(task_always_eager=True, amends_retention=0.0001)
        waiting(saga_id)
        assert remove_ended(app) == 1
        app.conf.amends_retention = 7 * 86400.0

    kept.clear()
    app.conf.amends_archive = PATH
    yield remove
    kept.clear()


def test_show_reads_it_from_the_archive(run, removed):
    removed("e-1")
    shown = run("show", "e-1", "--input", "--output")
    assert shown.exit_code == 0
    assert shown.output.startswith("e-1  errand  completed\n")
    assert '"errand_id": "e-1"' in shown.output
    assert shown.output.endswith("\nThe log has removed it: this is from the archive.\n")


def test_as_json_it_says_where_it_is_from(run, removed, app, waiting):
    removed("e-1")
    told = json.loads(run("show", "e-1", "--json").stdout)
    assert (told["status"], told["archived"]) == ("completed", True)
    waiting("e-2")
    assert "archived" not in json.loads(run("show", "e-2", "--json").stdout)


def test_history_and_explain_read_it_too(run, removed):
    removed("e-1")
    history = run("history", "e-1")
    assert history.exit_code == 0
    assert "saga.finished" in history.stdout
    explained = run("explain", "e-1")
    assert explained.exit_code == 0
    assert "as completed: every step took effect, or was passed over." in explained.stdout


@pytest.mark.parametrize("command", ["show", "history", "explain"])
def test_without_an_archive_its_end_is_told(run, removed, app, waiting, command):
    removed("e-1")
    app.conf.amends_archive = None
    waiting("e-10")
    told = run(command, "e-1")
    assert told.exit_code == 3
    assert told.stderr.startswith("error: saga 'e-1' ended as completed at ")
    rule = "and was removed: sagas are kept for 7 d after their end (amends_retention)\n"
    assert told.stderr.endswith(rule)  # and nothing of e-10


def test_an_id_that_nobody_knows_says_how_long_sagas_are_kept(run, app):
    told = run("show", "e-1")
    assert told.exit_code == 3
    rule = "sagas are kept for 7 d after their end (amends_retention)"
    assert told.stderr.startswith(f"error: there is no saga 'e-1' in the log: {rule}; is amends_")
