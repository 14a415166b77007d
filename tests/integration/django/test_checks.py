"""What ``manage.py check`` says."""

import json
import re


def found(project, *words, fails=False, **settings):
    told = project.run("manage.py", "check", *words, fails=fails, **settings)
    return re.findall(r"\((amends\.\w+)\)", told), told


def test_a_project_that_is_set_up_has_nothing_to_hear(project):
    project.run("manage.py", "migrate", "-v0")
    assert found(project, "--database", "default")[0] == []
    assert found(project, "--tag", "amends")[0] == []


GIVEN = {
    "CELERY_BROKER_URL": "memory://",
    "CELERY_AMENDS_BACKEND": "memory://of-tests",
    "CELERY_AMENDS_OUTBOX_URL": "django://default",
}
CASES = [
    ({"CELERY_AMENDS_BACKEND": None}, ["amends.E001"], "has no amends_backend"),
    ({"CELERY_AMENDS_BACKENT": "redis://"}, ["amends.E001"], "did you mean 'amends_backend'?"),
    ({"CELERY_AMENDS_OUTBOX_URL": "django://defaults"}, ["amends.E001"], "'defaults'"),
    ({"CELERY_AMENDS_OUTBOX_URL": "env://NO_SUCH"}, ["amends.E001"], "variable NO_SUCH"),
    ({"CELERY_AMENDS_OUTBOX_URL": None}, ["amends.W003"], '_OUTBOX_URL = "django://default"'),
    ({"CELERY_AMENDS_OUTBOX_URL": "postgresql://db/other"}, ["amends.W004"], "'other'"),
    ({"CELERY_AMENDS_OUTBOX_URL": "sqlite:///site.sqlite3"}, [], ""),
    ({"CELERY_AMENDS_OUTBOX_URL": "sqlite:///test_site.sqlite3"}, [], ""),  # in a test
    ({"AMENDS_RETENTION": 5}, ["amends.I001"], "call it CELERY_AMENDS_RETENTION"),
    ({"AMENDS_BACKEND": "redis://"}, [], ""),  # the right one is set
    ({"AMENDS_COLOUR": "red"}, [], ""),
]
SEVERAL = """
import json, os, sys, types
import django; django.setup()
from celery import Celery
from amends.django.checks import check_settings
for number, given in enumerate(json.load(sys.stdin)):
    app = Celery(f"app{number}")
    app.config_from_object(types.SimpleNamespace(**given), namespace="CELERY")
    app.set_current()
    print(json.dumps([[each.id, each.msg + " " + each.hint] for each in check_settings()]))
"""


def test_settings_are_told(project):
    given = [{**GIVEN, **settings} for settings, _, _ in CASES]
    given = [{name: each[name] for name in each if each[name] is not None} for each in given]
    project.write("cases.json", json.dumps(given))
    script = SEVERAL.replace("sys.stdin", "open('cases.json')")
    told = [json.loads(line) for line in project.run("-c", script).splitlines()]
    for (settings, ids, says), got in zip(CASES, told, strict=True):
        assert [each for each, _ in got] == ids, settings
        assert says in " ".join(text for _, text in got)
        assert all(text.strip() for _, text in got)


def test_a_project_without_settings_of_ours_is_told(project):
    file = project.directory / "site_of_tests/settings.py"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(each for each in lines if "AMENDS" not in each))
    got, told = found(project)
    assert got == ["amends.W002"]
    assert 'CELERY_AMENDS_BACKEND = "redis://localhost:6379/1"' in told


def test_a_project_that_does_not_import_its_celery_app_is_told(project):
    project.write("site_of_tests/__init__.py", "")
    assert found(project)[0] == ["amends.W001"]
    later = "from site_of_tests.celery import app; from celery._state import default_app"
    told = project.run("-c", f"{CHECKED}; {later}; print(default_app is app)")
    assert (
        told.splitlines()[-1] == "True"
    )  # the checks made none up, which would be the default one


CHECKED = "import django; django.setup(); from django.core.checks import run_checks; run_checks()"


def test_a_missing_table_is_told_where_a_database_is_asked_and_not_by_migrate(project):
    assert found(project)[0] == []
    got, told = found(project, "--database", "default")
    assert got == ["amends.W005"]
    assert "manage.py migrate amends --database=default" in told
    assert "amends." not in project.run("manage.py", "migrate", "-v0")
    assert found(project, "--database", "default")[0] == []


def test_a_database_that_is_away_is_told(project):
    assert found(project, "--database", "default", DATABASES=AWAY)[0] == ["amends.W006"]


AWAY = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": "1",
        "NAME": "x",
    }
}
