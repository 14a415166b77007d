"""The pytest plugin, as a user's project gets it: in a folder and a process of its own."""

import subprocess
import sys

import pytest

from amends_pytest import rehearsal as fixture

TRIPS = """
from celery import Celery
from pydantic import BaseModel
from amends import Saga, Step, activity

app = Celery("trips", broker="redis://nowhere.invalid/0")
app.conf.amends_backend = "redis://nowhere.invalid/1"

class Trip(BaseModel):
    city: str

@activity
def book_room(trip: Trip) -> None: ...

trip_saga = Saga("trip", input=Trip, output=Trip, steps=[Step(book_room, compensation=None)])
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "trips.py").write_text(TRIPS)

    def run_tests(text, *, before="pass"):
        (tmp_path / "test_trips.py").write_text(text)
        program = (
            f"{before}; import pytest; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))"
        )
        run = subprocess.run(
            [sys.executable, "-c", f"import sys; {program}"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
            timeout=60,
        )
        return run.stdout + run.stderr

    return run_tests


def test_the_fixture_is_there_and_gives_back_the_users_app(project):
    said = project("""
from celery import current_app
from trips import Trip, app, trip_saga

def test_booking(rehearsal):
    assert rehearsal.run(trip_saga, Trip(city="Oslo")).outcome == "completed"
    assert rehearsal.done == ["book_room"]

def test_each_test_has_its_own(rehearsal):
    assert rehearsal.calls == []

def test_without_it_the_app_is_the_users():
    assert current_app._get_current_object() is app
""")
    assert "3 passed" in said


def test_the_fixture_is_documented():
    assert "during the test" in fixture.__doc__


def test_without_fakeredis_other_tests_run_and_the_fixture_names_the_extra(project):
    said = project(
        """
def test_of_something_else(): ...

def test_booking(rehearsal): ...
""",
        before="sys.modules['fakeredis'] = None",
    )
    assert "1 passed, 1 error" in said
    assert "pip install 'amends[testing]'" in said


def test_a_start_of_pytest_loads_nothing_of_the_engine(project):
    said = project("""
import sys

def test_what_is_loaded():
    assert "amends_pytest" in sys.modules
    engine = {"amends", "celery", "kombu", "redis", "pydantic", "fakeredis", "lupa"}
    assert not engine & sys.modules.keys()
""")
    assert "1 passed" in said


def test_an_app_that_a_test_makes_takes_no_saga_away_in_silence(project):
    said = project("""
from trips import Trip, trip_saga

def test_booking(rehearsal):
    from celery import Celery
    Celery("late")
    rehearsal.run(trip_saga, Trip(city="Oslo"))
""")
    assert "create no app inside" in said
