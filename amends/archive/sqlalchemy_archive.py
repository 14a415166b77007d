"""An archive in a table of SQLAlchemy's."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Engine, MetaData, Table, create_engine, make_url, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.pool import NullPool

from amends.archive.document import ArchivedSaga
from amends.archive.sqlalchemy_table import archive_table
from amends.errors import ConfigurationError

_KEY: Final = ("namespace", "saga_id")
_KNOWN: Final = "postgresql, mysql, mariadb, sqlite"


class SQLAlchemyArchive:
    """Keeps each saga as a row of the table of `archive_table`.

    database: SQLAlchemy's URL, with a driver that is no asyncio one; or an engine. A pool process forks, and connections must
        not be shared by processes: of a URL each batch has a connection of its own, and an engine should have a ``NullPool``.
    namespace: the part of the table, if several apps share it.

    A saga that comes again replaces its row. Makes no table: that is the migration's. Raises `ConfigurationError`, and in its calls
    what SQLAlchemy raises.
    """

    def __init__(self, database: str | Engine, *, namespace: str = "") -> None:
        self._engine = _engine_at(database) if isinstance(database, str) else database
        self._namespace = namespace
        self._table = archive_table(MetaData())
        self._upsert = _upsert(self._engine.dialect.name, self._table)

    def __call__(self, sagas: Sequence[ArchivedSaga], /) -> None:
        """Write these sagas in one transaction."""
        rows = {each.id: self._row(each) for each in sagas}
        if rows:
            with self._engine.begin() as connection:
                connection.execute(self._upsert, list(rows.values()))

    def find(self, saga_id: str, /) -> ArchivedSaga | None:
        """Return the saga of this id as it came last, None if there is none."""
        columns = self._table.c
        wanted = select(columns.document).where(
            columns.namespace == self._namespace, columns.saga_id == saga_id
        )
        with self._engine.connect() as connection:
            document = connection.execute(wanted).scalar()
        return ArchivedSaga.model_validate_json(document) if document else None

    def _row(self, saga: ArchivedSaga) -> Mapping[str, Any]:
        return {
            "namespace": self._namespace,
            "saga_id": saga.id,
            "saga": saga.saga,
            "status": saga.status,
            "outcome": saga.outcome,
            "created_at": saga.created_at,
            "ended_at": saga.ended_at,
            "document": saga.model_dump_json(),
        }


def _engine_at(url: str) -> Engine:
    try:
        read = make_url(url)
    except Exception:  # noqa: BLE001 - an error of it may quote the password
        raise ConfigurationError("the archive's database is no URL of SQLAlchemy's") from None
    # PgBouncer gives a connection with prepared statements to the next client.
    how = {"prepare_threshold": None} if read.get_driver_name() == "psycopg" else {}
    try:
        engine = create_engine(read, poolclass=NullPool, connect_args=how, hide_parameters=True)
    except Exception as error:  # a driver may raise anything as it is imported
        raise ConfigurationError(f"the archive's database cannot be used: {error}") from error
    if engine.dialect.is_async:
        raise ConfigurationError(
            f"the archive's database has {engine.dialect.driver}, a driver for asyncio: name another one"
        )
    return engine


def _upsert(dialect: str, table: Table) -> Any:
    """Return the statement that writes a row in place of one of its key. Raises `ConfigurationError` for an unknown database."""
    names = [column.name for column in table.columns if column.name not in _KEY]
    if dialect in ("mysql", "mariadb"):
        own = mysql.insert(table)
        return own.on_duplicate_key_update({name: own.inserted[name] for name in names})
    if dialect == "postgresql":
        row = postgresql.insert(table)
        return row.on_conflict_do_update(
            index_elements=_KEY, set_={name: row.excluded[name] for name in names}
        )
    if dialect == "sqlite":
        new = sqlite.insert(table)
        return new.on_conflict_do_update(
            index_elements=_KEY, set_={name: new.excluded[name] for name in names}
        )
    raise ConfigurationError(f"the archive has no SQL for {dialect!r}; it knows {_KNOWN}")
