"""What a receiver does wrong is said in a sentence, before or instead of an effect without its row."""

import contextlib

import pytest
from django.db import connections, transaction
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from amends.barrier import barrier, forget, undoing
from amends.errors import ConfigurationError
from tests.support.receivers import WRITE, DjangoReceiver, SQLAlchemyReceiver


def url_of(database, request, directory):
    if database == "sqlite":
        return f"sqlite:///{directory / 'receiver.sqlite3'}"
    driver = {"postgres": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}[database]
    return f"{driver}://{request.getfixturevalue(database).address}"


def enter(connection, key):
    with barrier(connection, key):
        pass


@pytest.fixture
def receiver(tmp_path):
    receiver = SQLAlchemyReceiver(f"sqlite:///{tmp_path / 'receiver.sqlite3'}")
    yield receiver
    receiver.close()


@pytest.mark.parametrize("isolation", ["option", "engine"])
@pytest.mark.parametrize("database", ["sqlite", "postgres", "mariadb"])
def test_a_connection_that_commits_each_statement_is_refused(
    request, tmp_path, database, isolation, key
):
    url = url_of(database, request, tmp_path)
    SQLAlchemyReceiver(url).close()
    options = {"isolation_level": "AUTOCOMMIT"}
    engine = create_engine(url, **options if isolation == "engine" else {})
    with engine.connect() as connection:
        if isolation == "option":
            connection.execution_options(**options)
        with pytest.raises(RuntimeError, match="AUTOCOMMIT"):
            enter(connection, key)
        assert connection.execute(text("SELECT count(*) FROM amends_barrier")).scalar() == 0
    engine.dispose()


def test_a_connection_of_django_outside_of_atomic_is_refused(tmp_path, key):
    where = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "receiver.sqlite3")}
    receiver = DjangoReceiver("bare", **where)
    with pytest.raises(RuntimeError, match=r"with transaction\.atomic\(using='bare'\):"):
        enter("bare", key)
    assert receiver.execute("bare", "SELECT count(*) FROM amends_barrier") == [(0,)]
    with transaction.atomic(using="bare"), barrier(connections["bare"], key) as first:
        assert first


@pytest.mark.parametrize("block", [barrier, undoing])
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_transaction_that_ends_inside_of_the_block_is_told(receiver, key, block, end):
    receiver.act(f"{key}:undoing")

    def end_it():
        with (
            Session(receiver.engine) as session,
            block(session, f"{key}:{block.__name__}") as first,
        ):
            assert first
            getattr(session, end)()
            session.execute(text(WRITE.format(key, "made")))

    with pytest.raises(RuntimeError, match="ended inside of the barrier's block"):
        end_it()
    assert receiver.book(key) == []


@pytest.mark.parametrize("database", ["sqlite", "postgres", "mariadb"])
def test_a_database_without_the_table_is_told_what_to_add(request, tmp_path, database, key):
    url = url_of(database, request, tmp_path)
    receiver = SQLAlchemyReceiver(url)
    with receiver.transaction() as session:
        receiver.execute(session, "DROP TABLE amends_barrier")
    with pytest.raises(ConfigurationError, match="no table amends_barrier: add a migration"):
        receiver.act(key)
    receiver.close()


def test_a_database_that_the_barrier_does_not_know_is_refused(key):
    engine = create_engine("sqlite://")
    engine.dialect.name = "oracle"
    known = "no SQL for 'oracle'; it knows postgresql, sqlite"
    with engine.connect() as connection, pytest.raises(ConfigurationError, match=known):
        enter(connection, key)


@pytest.mark.parametrize("connection", [None, 7, object()])
def test_what_is_no_connection_is_refused(connection, key):
    with pytest.raises(TypeError, match="takes a session or connection of SQLAlchemy or Django"):
        enter(connection, key)
    with pytest.raises(TypeError, match="RedisBarrier"):
        forget(connection)


@pytest.mark.parametrize("block", [barrier, undoing])
@pytest.mark.parametrize("key", [None, "", " ", "a ", " a", "a\n", "a\0", "a" * 513, 7, b"a"])
def test_what_is_no_idempotency_key_is_refused_before_the_database_is_asked(block, key):
    with pytest.raises(ValueError, match="1 to 512 printable characters"):
        block(None, key)


def test_the_longest_key_is_one(receiver):
    key = "ä" * 512
    with receiver.transaction() as session, barrier(session, key) as first:
        assert first
    with receiver.transaction() as session, undoing(session, key) as took_effect:
        assert took_effect


def test_the_sessions_of_an_application_are_sessions(receiver, key):
    class Own(Session):
        pass

    sessions = scoped_session(sessionmaker(receiver.engine, class_=Own))
    with barrier(sessions, key) as first:
        assert first
    sessions.commit()
    with barrier(sessions, key) as again:
        assert not again
    sessions.remove()


def test_a_block_in_a_savepoint_takes_the_whole_transaction_back(receiver, key):
    with Session(receiver.engine) as session:
        session.execute(text(WRITE.format(key, "made")))
        with contextlib.suppress(ZeroDivisionError), session.begin_nested(), barrier(session, key):
            raise ZeroDivisionError
        session.commit()
    assert receiver.book(key) == []
