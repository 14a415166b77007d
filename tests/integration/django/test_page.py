"""What docs/django.md shows: the tutorial's project with its saga passes its tests, and each check that it lists is one."""

import re
import subprocess
import sys

import pytest

from demo.programs import ROOT

PAGE = (ROOT / "docs" / "django.md").read_text(encoding="utf-8")
CHECKS = (ROOT / "amends/django/checks.py").read_text(encoding="utf-8")
# As the tutorial leaves them.
MODELS = """
from django.db import models


class Question(models.Model):
    question_text = models.CharField(max_length=200)
    pub_date = models.DateTimeField("date published")


class Choice(models.Model):
    question = models.ForeignKey(Question, on_delete=models.CASCADE)
    choice_text = models.CharField(max_length=200)
    votes = models.IntegerField(default=0)
"""
VIEWS = """
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from .models import Choice, Question


def results(request, question_id):
    return HttpResponse("results")
"""
URLS = """
from django.urls import path

from . import views

app_name = "polls"
urlpatterns = [
    path("<int:question_id>/results/", views.results, name="results"),
    path("<int:question_id>/vote/", views.vote, name="vote"),
]
"""
SITE_URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("polls/", include("polls.urls")), path("admin/", admin.site.urls)]
"""


@pytest.fixture
def run(tmp_path):
    """Give a function that runs a program in the directory of the project."""

    def run(*words):
        ran = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    return run


@pytest.fixture
def tutorial(tmp_path, run):
    """Make the project of the tutorial, and give its directory."""
    run("-m", "django", "startproject", "mysite", ".")
    run("-m", "django", "startapp", "polls")
    for name, text in {
        "polls/models.py": MODELS,
        "polls/views.py": VIEWS,
        "polls/urls.py": URLS,
        "mysite/urls.py": SITE_URLS,
    }.items():
        (tmp_path / name).write_text(text)
    settings = (tmp_path / "mysite/settings.py").read_text()
    installed = 'INSTALLED_APPS = [\n    "polls.apps.PollsConfig",'
    text = re.sub(r"INSTALLED_APPS = \[", installed, settings)
    (tmp_path / "mysite/settings.py").write_text(text)
    return tmp_path


def test_the_projects_tests_pass(tutorial, run):
    shown = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
    assert shown.keys() == {
        *("mysite/celery.py", "mysite/__init__.py", "mysite/settings.py"),
        *("polls/models.py", "polls/sagas.py", "polls/views.py", "polls/tests.py"),
    }
    for name, code in shown.items():
        file = tutorial / name
        before = "" if name == "polls/tests.py" or not file.exists() else file.read_text()
        file.write_text(f"{before}\n{code}")
    run("manage.py", "makemigrations", "polls")
    run("manage.py", "makemigrations", "polls", "--empty", "--name", "barrier")
    [migration] = re.findall(r"```python\n# polls/migrations.*?\n(.*?)```", PAGE, re.DOTALL)
    migration = migration.replace("0002_vote", "0001_initial")
    (tutorial / "polls/migrations/0002_barrier.py").write_text(migration)
    run("manage.py", "migrate")
    told = run("manage.py", "check", "--database", "default")
    assert "no issues" in told
    assert "Ran 3 tests" in run("manage.py", "test", "polls")
    [with_pytest] = re.findall(r"```python\n(import pytest\n.*?)```", PAGE, re.DOTALL)
    (tutorial / "test_with_pytest.py").write_text(with_pytest)
    (tutorial / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = mysite.settings\n")
    assert "1 passed" in run("-m", "pytest", "-q", "test_with_pytest.py")


def test_it_lists_each_check():
    listed = re.findall(r"^\| `(amends\.\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(set(re.findall(r'id="(amends\.\w+)"', CHECKS)))
