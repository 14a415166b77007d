"""The SQL of the outbox's table, by database: the one place that has any."""

from dataclasses import dataclass, replace
from typing import Final

from amends.errors import ConfigurationError

TABLE: Final = "amends_outbox"
INDEX: Final = f"{TABLE}_due_at"
LONGEST_ERROR: Final = 2000
"""Characters."""

_ROW: Final = "entry_id, saga_id, saga, document, written_at, tries"


@dataclass(frozen=True, kw_only=True)
class Statements:
    """What is run on the table. Values stand as ``:name``, which each adapter turns into its library's form."""

    #: Type of a document: it holds JSON of 1 MiB, escaped.
    document_type: str = "TEXT"
    #: What stands behind the columns.
    options: str = ""
    insert: str = (
        f"INSERT INTO {TABLE} (entry_id, namespace, saga_id, saga, document, written_at, due_at, tries, error)"  # noqa: S608
        " VALUES (:entry_id, :namespace, :saga_id, :saga, :document, :written_at, :due_at, 0, '')"
    )
    find: str = f"SELECT {_ROW} FROM {TABLE} WHERE entry_id = :entry_id"  # noqa: S608
    #: Passes over what another relay is about to claim, where the database can. `{sagas}` stands for one value or more.
    due: str = (
        f"SELECT {_ROW} FROM {TABLE} WHERE namespace = :namespace AND saga IN ({{sagas}}) AND due_at <= :now"  # noqa: S608
        " ORDER BY due_at LIMIT :limit"
    )
    #: The condition on the tries lets one of two relays through, also where both have read the row before.
    claim: str = (
        f"UPDATE {TABLE} SET due_at = :until, tries = tries + 1"  # noqa: S608
        " WHERE entry_id = :entry_id AND tries = :tries"
    )
    remove: str = f"DELETE FROM {TABLE} WHERE entry_id = :entry_id"  # noqa: S608
    postpone: str = (
        f"UPDATE {TABLE} SET due_at = :due_at, error = :error WHERE entry_id = :entry_id"  # noqa: S608
    )
    put_back: str = (
        f"UPDATE {TABLE} SET due_at = :due_at, tries = tries - 1 WHERE entry_id = :entry_id"  # noqa: S608
    )
    #: How many of each saga have no error and how many have one, and when the oldest of both was written.
    measure: str = (
        f"SELECT error <> '', saga, COUNT(*), MIN(written_at) FROM {TABLE}"  # noqa: S608
        " WHERE namespace = :namespace GROUP BY error <> '', saga"
    )
    failing: str = (
        f"SELECT saga_id, error FROM {TABLE} WHERE namespace = :namespace AND error <> ''"  # noqa: S608
        " ORDER BY written_at LIMIT :limit"
    )

    @property
    def create(self) -> tuple[str, str]:
        """The statements that create the table."""
        table = (
            f"CREATE TABLE {TABLE} (entry_id VARCHAR(32) NOT NULL PRIMARY KEY, namespace VARCHAR(64) NOT NULL,"
            f" saga_id VARCHAR(128) NOT NULL, saga VARCHAR(255) NOT NULL, document {self.document_type} NOT NULL,"
            " written_at DOUBLE PRECISION NOT NULL, due_at DOUBLE PRECISION NOT NULL, tries INTEGER NOT NULL,"
            f" error VARCHAR({LONGEST_ERROR}) NOT NULL){self.options}"
        )
        return table, f"CREATE INDEX {INDEX} ON {TABLE} (due_at)"


_STANDARD: Final = Statements()
_MYSQL: Final = replace(
    _STANDARD,
    document_type="MEDIUMTEXT",  # its TEXT ends at 64 KiB
    # Its default collations hold the namespaces Shop and shop for one.
    options=" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
)
_BY_DATABASE: Final = {
    "postgresql": _STANDARD,
    "sqlite": _STANDARD,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}


def is_known(database: str) -> bool:
    """Tell whether the outbox has SQL for a database, by the name that `statements_of` takes."""
    return database in _BY_DATABASE


def statements_of(database: str, *, skips_locked: bool = False) -> Statements:
    """Return the statements of a database.

    database: as SQLAlchemy's dialects and Django's vendors are called.
    skips_locked: whether it has ``FOR UPDATE SKIP LOCKED``.

    Raises `ConfigurationError` for one that the outbox does not know.
    """
    if database not in _BY_DATABASE:
        known = ", ".join(_BY_DATABASE)
        raise ConfigurationError(f"the outbox has no SQL for {database!r}; it knows {known}")
    found = _BY_DATABASE[database]
    return replace(found, due=f"{found.due} FOR UPDATE SKIP LOCKED") if skips_locked else found
