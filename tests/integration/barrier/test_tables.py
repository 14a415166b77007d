"""The table that SQLAlchemy and Alembic make is the one that Django makes."""

import pytest
from django.db import connections
from django.db.migrations.state import ProjectState
from sqlalchemy import MetaData, create_engine, inspect

from amends.barrier.django_table import barrier_table as django_table
from amends.barrier.sqlalchemy_table import barrier_table
from amends.barrier.statements import TABLE, statements_of
from demo.ports import LOOPBACK
from tests.support.databases import SERVANT
from tests.support.receivers import connect_django


def drawn(engine):
    """Return what a database says of the table."""
    told = inspect(engine)
    columns = [
        (each["name"], str(each["type"]), each["nullable"], each.get("default"))
        for each in told.get_columns(TABLE)
    ]
    indexes = [(each["name"], each["column_names"]) for each in told.get_indexes(TABLE)]
    return columns, told.get_pk_constraint(TABLE)["constrained_columns"], indexes


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
