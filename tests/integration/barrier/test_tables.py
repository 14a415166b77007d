"""The table that SQLAlchemy and Alembic make is the one that Django makes."""

import pytest
from django.db import connections, router
from django.db.migrations.state import ProjectState
from sqlalchemy import Double, Float, MetaData, create_engine, inspect

from amends.barrier.django_table import barrier_table as django_table
from amends.barrier.sqlalchemy_table import barrier_table
from amends.barrier.statements import TABLE, statements_of
from amends.outbox.django_table import outbox_table as django_outbox_table
from amends.outbox.sqlalchemy_table import outbox_table
from demo.ports import LOOPBACK
from tests.support.databases import SERVANT
from tests.support.receivers import connect_django


def drawn(engine):
    """Return what a database says of the table."""
    told = inspect(engine)
    columns = [
        (each["name"], _text(each["type"]), each["nullable"], each.get("default"))
        for each in told.get_columns(TABLE)
    ]
    indexes = [(each["name"], each["column_names"]) for each in told.get_indexes(TABLE)]
    return columns, told.get_pk_constraint(TABLE)["constrained_columns"], indexes


def _text(column_type):
    return "DOUBLE" if isinstance(column_type, Float) else str(column_type)  # its names differ


def dropped(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {TABLE}")


@pytest.fixture(params=["sqlite", "postgresql+psycopg", "mariadb+pymysql"])
def engine(request, tmp_path):
    if request.param == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path / 'tables.sqlite3'}")
    else:
        server = request.getfixturevalue(request.param.split("+")[0].removesuffix("ql"))
        engine = create_engine(f"{request.param}://{server.address}")
    dropped(engine)
    yield engine
    dropped(engine)
    engine.dispose()


def test_sqlalchemy_makes_the_table_that_the_sql_makes(engine):
    metadata = MetaData(schema="shop")
    assert barrier_table(metadata) is barrier_table(metadata)
    metadata.create_all(engine)
    by_sqlalchemy = drawn(engine)
    dropped(engine)
    with engine.begin() as connection:
        for statement in statements_of(engine.dialect.name).create:
            connection.exec_driver_sql(statement)
    assert drawn(engine) == by_sqlalchemy


@pytest.mark.parametrize("engine", ["sqlite", "postgresql+psycopg"], indirect=True)
def test_a_migration_of_django_makes_it_and_drops_it(engine):
    if engine.dialect.name == "sqlite":
        how = {"ENGINE": "django.db.backends.sqlite3", "NAME": engine.url.database}
    else:
        address = {"HOST": LOOPBACK, "PORT": engine.url.port, "USER": SERVANT, "NAME": "postgres"}
        how = {"ENGINE": "django.db.backends.postgresql", **address}
    connect_django("tables", **how)
    operation, state = django_table(), ProjectState()
    with connections["tables"].schema_editor() as editor:
        operation.database_forwards("shop", editor, state, state)
    columns, key, indexes = drawn(engine)
    assert [each[0] for each in columns] == ["idempotency_key", "state", "answer", "changed_at"]
    assert key == ["idempotency_key"]
    assert indexes == [("amends_barrier_changed_at", ["changed_at"])]
    with connections["tables"].schema_editor() as editor:
        operation.database_backwards("shop", editor, state, state)
    assert not inspect(engine).has_table(TABLE)
    connections["tables"].close()


@pytest.mark.parametrize("table", [barrier_table, outbox_table])
def test_alembic_finds_the_types_that_it_has_made(engine, table):
    made = table(MetaData())
    made.drop(engine, checkfirst=True)
    made.create(engine)
    columns = {each["name"]: each["type"] for each in inspect(engine).get_columns(made.name)}
    for each in made.columns:
        if isinstance(each.type, Double):  # compared by what is compiled of them
            assert columns[each.name].compile(engine.dialect) == each.type.compile(engine.dialect)
    made.drop(engine)


class Elsewhere:
    """A router by which a database has no migrations."""

    def allow_migrate(self, *_, **__):
        return False


@pytest.mark.parametrize("table", [django_table, django_outbox_table])
def test_a_migration_of_django_is_printed_as_sql_and_asks_the_router(tmp_path, monkeypatch, table):
    connect_django("printed", ENGINE="django.db.backends.sqlite3", NAME=str(tmp_path / "db"))
    operation, state = table(), ProjectState()
    assert operation.reduces_to_sql
    assert operation.reversible

    def printed(act):
        with connections["printed"].schema_editor(collect_sql=True) as editor:
            act("shop", editor, state, state)
        return editor.collected_sql

    made, indexed = printed(operation.database_forwards)
    assert made.startswith(f"CREATE TABLE {operation.table} (")
    assert indexed.startswith(f"CREATE INDEX {operation.table}_")
    assert printed(operation.database_backwards) == [f"DROP TABLE {operation.table};"]
    monkeypatch.setattr(router, "routers", [Elsewhere()])
    assert printed(operation.database_forwards) == printed(operation.database_backwards) == []
    connections["printed"].close()
