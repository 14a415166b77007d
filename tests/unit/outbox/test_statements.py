"""The two definitions of the outbox's table are one, and so is what may stand in it."""

import re
from types import SimpleNamespace

import pytest
from django.db import router
from sqlalchemy import MetaData
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from amends.errors import ConfigurationError
from amends.outbox.django_table import outbox_table as outbox_migration
from amends.outbox.sqlalchemy_table import outbox_table
from amends.outbox.statements import statements_of

DIALECTS = {"postgresql": postgresql, "mysql": mysql, "sqlite": sqlite}


def columns(text):
    """Return name, type and NOT NULL of each column, in order."""
    inside = text[text.index("(") + 1 : text.rindex(")")]
    inside = re.sub(r"DOUBLE PRECISION|DOUBLE\b", "DOUBLE", inside)
    parts = [" ".join(each.split()) for each in re.split(r",(?![^(]*\))", inside)]
    return {
        part.split()[0]: (part.split()[1], "NOT NULL" in part)
        for part in parts
        if not part.startswith("PRIMARY")
    }


@pytest.mark.parametrize("name", DIALECTS)
def test_the_table_of_sqlalchemy_and_that_of_django_are_alike(name):
    table = outbox_table(MetaData())
    dialect = DIALECTS[name].dialect()
    ours, index = statements_of(name).create
    assert columns(str(CreateTable(table).compile(dialect=dialect))) == columns(ours)
    [of_table] = table.indexes
    assert str(CreateIndex(of_table).compile(dialect=dialect)) == index


def test_a_second_call_returns_the_same_table():
    metadata = MetaData()
    assert outbox_table(metadata) is outbox_table(metadata)


def test_only_where_the_database_can_locked_rows_are_skipped():
    assert "SKIP LOCKED" in statements_of("postgresql", skips_locked=True).due
    assert "FOR UPDATE" not in statements_of("postgresql").due


def test_another_database_is_refused():
    with pytest.raises(ConfigurationError, match="no SQL for 'oracle'; it knows postgresql"):
        statements_of("oracle")


@pytest.mark.parametrize(("vendor", "count"), [("postgresql", 2), ("oracle", 0)])
def test_a_migration_passes_over_a_database_that_has_no_outbox(monkeypatch, vendor, count):
    monkeypatch.setattr(router, "allow_migrate", lambda *_: True)
    done, operation = [], outbox_migration()
    connection = SimpleNamespace(vendor=vendor, alias="other")
    editor = SimpleNamespace(connection=connection, execute=done.append)
    operation.database_forwards("amends", editor, None, None)
    assert len(done) == count
    operation.database_backwards("amends", editor, None, None)
    assert len(done) == count + bool(count)
