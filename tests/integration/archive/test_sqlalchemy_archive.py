"""The archive in a database: a row for each saga, in place of the one before."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import MetaData, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError, OperationalError

from amends import ConfigurationError
from amends.archive import ArchivedSaga
from amends.archive.sqlalchemy_archive import SQLAlchemyArchive
from amends.archive.sqlalchemy_table import archive_table
from tests.support.databases import own_mariadb, own_postgres


@pytest.fixture(scope="module", params=["sqlite", "postgres", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the URL of an empty table in each database in turn."""
    server = {"postgres": own_postgres, "mariadb": own_mariadb}.get(request.param)
    if server is None:
        yield made(f"sqlite:///{tmp_path_factory.mktemp('archive') / 'archive.sqlite3'}")
        return
    with server() as running:
        driver = {"postgres": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}[request.param]
        yield made(f"{driver}://{running.address}")


def made(url: str) -> str:
    metadata = MetaData()
    archive_table(metadata)
    metadata.create_all(create_engine(url))
    return url


def saga(saga_id, **fields):
    return ArchivedSaga(id=saga_id, saga="sale", status="completed", **fields)


def test_a_saga_is_found_as_it_came_last(url):
    archive = SQLAlchemyArchive(url)
    archive([saga("s-1", outcome="first", ended_at=1.5), saga("s-2"), saga("s-2", outcome="again")])
    archive([saga("s-1", outcome="later", input={"name": "Zoë \u2028 🎈", "nothing": "\x00"})])
    found = archive.find("s-1")
    assert found == saga("s-1", outcome="later", input={"name": "Zoë \u2028 🎈", "nothing": "\x00"})
    assert archive.find("s-2").outcome == "again"
    assert archive.find("S-1") is None  # MySQL's default collation finds it
    archive([])
    with create_engine(url).connect() as connection:
        rows = connection.execute(text("SELECT count(*) FROM amends_archive WHERE saga_id = 's-1'"))
        assert rows.scalar() == 1


def test_apps_may_share_the_table(url):
    SQLAlchemyArchive(url, namespace="shop")([saga("s-9", outcome="shop's")])
    SQLAlchemyArchive(url, namespace="Shop")([saga("s-9", outcome="Shop's")])
    assert SQLAlchemyArchive(url, namespace="shop").find("s-9").outcome == "shop's"
    assert SQLAlchemyArchive(url).find("s-9") is None


def test_a_large_saga_is_kept(url):
    SQLAlchemyArchive(url)([saga("s-8", input="x" * 300_000)])
    assert len(SQLAlchemyArchive(url).find("s-8").input) == 300_000


def test_a_batch_is_all_or_nothing(url):
    archive = SQLAlchemyArchive(url)
    with pytest.raises(IntegrityError):
        archive([saga("s-7"), saga("s-6").model_copy(update={"saga": None})])
    assert archive.find("s-7") is None


def test_an_engine_may_be_given(url):
    engine = create_engine(url)
    SQLAlchemyArchive(engine)([saga("s-5")])
    assert SQLAlchemyArchive(engine).find("s-5") is not None
    engine.dispose()


def test_the_table_is_one_that_a_migration_can_make():
    metadata = MetaData()
    table = archive_table(metadata)
    assert archive_table(metadata) is table
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    made = {each["name"] for each in inspect(engine).get_columns("amends_archive")}
    assert made == {column.name for column in table.columns}


def test_a_database_that_is_away_says_so_without_what_is_private(tmp_path: Path):
    archive = SQLAlchemyArchive(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite3'}")
    with pytest.raises(OperationalError, match="unable to open database file") as told:
        archive([saga("s-1", input="private")])
    assert "private" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "is no URL of SQLAlchemy's"),
        ("postgresql+nonsense://u:secret@h/d", "cannot be used"),
        ("sqlite+aiosqlite:///x", "a driver for asyncio"),
        ("oracle+oracledb://u:secret@h/d", "cannot be used|no SQL for 'oracle'"),
    ],
)
def test_a_database_that_it_cannot_use_is_refused(url, reason):
    with pytest.raises(ConfigurationError, match=reason) as told:
        SQLAlchemyArchive(url)
    assert "secret" not in str(told.value)
