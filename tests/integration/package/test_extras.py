"""Each extra of the wheel brings what it is for, and without it nothing else is missing."""

import json
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.support.environments import install

BRINGS = {
    "console": "starlette_admin",
    "django": "django",
    "fastapi": "fastapi",
    "metrics": "prometheus_client",
    "sqlalchemy": "sqlalchemy",
    "testing": "fakeredis",
}
"""A package for each extra, without which a module of ours, or a rehearsal, does not work."""
NONE_NEEDS = {"otel"}
"""Extras that a module of ours uses where they are there."""

IMPORT_ALL = """
import importlib, importlib.util, json, pkgutil

if importlib.util.find_spec("django"):
    import django
    from django.conf import settings

    contrib = ["admin", "auth", "contenttypes", "messages", "sessions"]
    settings.configure(
        INSTALLED_APPS=[*(f"django.contrib.{app}" for app in contrib), "amends.django"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        CELERY_AMENDS_BACKEND="redis://localhost:6379/1",
    )
    django.setup()

import amends
import amends_commands
from amends.testing import Rehearsal
from pydantic import BaseModel


class Trip(BaseModel):
    city: str


class TripResult(BaseModel):
    outcome: str


@amends.activity
def book_room(trip: Trip) -> None: ...


def rehearse():
    trip_saga = amends.Saga(
        "trip", input=Trip, output=TripResult, steps=[amends.Step(book_room, compensation=None)]
    )
    with Rehearsal() as rehearsal:
        assert rehearsal.run(trip_saga, Trip(city="Oslo")).wait().outcome == "completed"


def told(act, *arguments):
    try:
        act(*arguments)
    except (ImportError, amends.ConfigurationError) as error:
        return str(error)


walked = pkgutil.walk_packages(amends.__path__, "amends.", onerror=lambda name: None)
names = [module.name for module in walked]
failed = [told(importlib.import_module, name) for name in names] + [told(rehearse)]
print(json.dumps({"modules": len(names), "failed": [each for each in failed if each]}))
"""


def test_each_extra_is_tried():
    assert (
        set(distribution("amends").metadata.get_all("Provides-Extra")) == BRINGS.keys() | NONE_NEEDS
    )


@pytest.mark.parametrize(
    "extras", [(), *((extra,) for extra in BRINGS), tuple(BRINGS)], ids="+".join
)
def test_only_what_other_extras_bring_is_missing(
    wheel: Path, tmp_path: Path, extras: tuple[str, ...]
):
    environment = install(wheel, tmp_path / "environment", *extras)
    seen = json.loads(environment.ask(IMPORT_ALL, tmp_path))
    seen["failed"] = [each.replace("asgiref", "django") for each in seen["failed"]]  # comes with it
    others = {package for extra, package in BRINGS.items() if extra not in extras}
    missing = {package for package in BRINGS.values() for each in seen["failed"] if package in each}
    assert missing == others
    assert [each for each in seen["failed"] if not any(other in each for other in others)] == []
    assert seen["modules"] > 200
