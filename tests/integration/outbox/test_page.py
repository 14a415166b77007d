"""docs/outbox.md: its migration makes the table, its errors are those that people get, its SQL runs."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateIndex, CreateTable

from amends import ConfigurationError, OutboxUnavailable
from amends.outbox.sqlalchemy_table import outbox_table
from amends.outbox.statements import TABLE
from tests.support.engine_saga import Job, job_saga
from tests.support.shops import DjangoShop, SQLAlchemyShop

PAGE = (Path(__file__).parents[3] / "docs" / "outbox.md").read_text(encoding="utf-8")
ERRORS = re.findall(
    r"^\| [^|]* \| `((?:\w+Error|OutboxUnavailable): [^`]*)` \|$", PAGE, re.MULTILINE
)


class Operations:
    """Alembic's, as far as the page uses them."""

    def __init__(self):
        self.metadata = sa.MetaData()

    def create_table(self, name, *columns, **options):
        sa.Table(name, self.metadata, *columns, **options)

    def create_index(self, name, table, columns):
        sa.Index(name, *(self.metadata.tables[table].c[each] for each in columns))

    def drop_table(self, name):
        self.metadata.remove(self.metadata.tables[name])


def statements(metadata, dialect):
    [table] = metadata.tables.values()
    [index] = table.indexes
    made = CreateTable(table).compile(dialect=dialect), CreateIndex(index).compile(dialect=dialect)
    return [" ".join(str(each).split()) for each in made]


def test_its_migration_makes_the_table():
    [code] = re.findall(r"```python\n(import sqlalchemy as sa.*?)```", PAGE, re.DOTALL)
    ours, operations = sa.MetaData(), Operations()
    outbox_table(ours)
    names = {"op": operations}
    exec(code.replace("from alembic import op\n", ""), names)  # noqa: S102 - the page's own
    names["upgrade"]()
    assert statements(operations.metadata, postgresql.dialect()) == statements(
        ours, postgresql.dialect()
    )
    assert "COLLATE utf8mb4_bin" in statements(operations.metadata, mysql.dialect())[0]
    names["downgrade"]()
    assert TABLE not in operations.metadata.tables


def test_its_sql_runs(tmp_path):
    shop = SQLAlchemyShop(f"sqlite:///{tmp_path / 'shop.sqlite3'}")
    [lines] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    with shop.transaction() as connection:
        for line in lines.splitlines():
            shop.execute(connection, line.partition(";")[0])


def test_the_errors_that_it_shows_are_those_that_people_get(app, tmp_path):
    url = f"sqlite:///{tmp_path / 'shop.sqlite3'}"
    SQLAlchemyShop(url)
    DjangoShop("default", ENGINE="django.db.backends.sqlite3", NAME=":memory:")
    job, how = Job(job_id="order-1"), {"saga_id": "order-1"}
    autocommit = sa.create_engine(url, isolation_level="AUTOCOMMIT").connect()
    away = Session(sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/shop"))
    wrong = [
        lambda: job_saga.start_on_commit(job, **how),
        lambda: job_saga.start_in(autocommit, job, **how),
        lambda: job_saga.start_in("default", job, **how),
        lambda: job_saga.start_on_commit(job, using="orders", **how),
        lambda: job_saga.start_in(Session(sa.create_engine("sqlite://")), job, **how),
        lambda: job_saga.start_in(away, job, **how),
    ]
    told = []
    for act in wrong:
        expected = (RuntimeError, TypeError, ConfigurationError, OutboxUnavailable)
        with pytest.raises(expected) as error:
            act()
        told.append(f"{error.type.__name__}: {error.value}")
    assert len(ERRORS) == len(told)
    for shown, got in zip(ERRORS, told, strict=True):
        assert got.startswith(shown.removesuffix("...").rstrip())
