"""The SQL of the barrier's table, by database: the one place that has any."""

from dataclasses import dataclass, replace
from typing import Final

from amends.barrier.idempotency_key import LONGEST_KEY
from amends.errors import ConfigurationError

TABLE: Final = "amends_barrier"
INDEX: Final = f"{TABLE}_changed_at"
IN_FORCE: Final = "in_force"  #: The effect was made and holds.
UNDONE: Final = "undone"  #: The effect was made and taken back.
TOMBSTONE: Final = "tombstone"  #: It was undone before there was an effect, and there will be none.

_OLD: Final = "changed_at < :before"
_OWN: Final = "idempotency_key = :key AND changed_at = :now"


@dataclass(frozen=True, kw_only=True)
class Statements:
    """What is run on the table. Values stand as ``:name``, which each adapter turns into its library's form."""

    #: Type of a key: equal keys are equal to the byte.
    key_type: str = f"VARCHAR({LONGEST_KEY})"
    #: Writes a row, or none if the key has one. Waits for a transaction that has written one and is still open.
    insert: str = (
        f"INSERT INTO {TABLE} (idempotency_key, state, answer, changed_at)"  # noqa: S608 - constants
        " VALUES (:key, :state, 'null', :now) ON CONFLICT (idempotency_key) DO NOTHING"
    )
    find: str = f"SELECT state, answer FROM {TABLE} WHERE idempotency_key = :key"  # noqa: S608
    #: Finds the row that a block has written, and not one that another transaction wrote after the database took it back.
    own: str = f"SELECT 1 FROM {TABLE} WHERE {_OWN}"  # noqa: S608
    keep: str = f"UPDATE {TABLE} SET answer = :answer WHERE {_OWN}"  # noqa: S608
    #: The condition on the state lets one of two undos through, also where both have read the row before.
    undo: str = (
        f"UPDATE {TABLE} SET state = '{UNDONE}', changed_at = :now"  # noqa: S608
        f" WHERE idempotency_key = :key AND state = '{IN_FORCE}'"
    )
    #: Asks for the age twice: a row may be undone, and so young again, between the search and the deletion.
    forget: str = (
        f"DELETE FROM {TABLE} WHERE {_OLD} AND idempotency_key IN"  # noqa: S608
        f" (SELECT idempotency_key FROM {TABLE} WHERE {_OLD} ORDER BY changed_at LIMIT :limit)"
    )

    @property
    def create(self) -> tuple[str, str]:
        """The statements that create the table."""
        table = (
            f"CREATE TABLE {TABLE} (idempotency_key {self.key_type} NOT NULL PRIMARY KEY,"
            " state VARCHAR(16) NOT NULL, answer TEXT NOT NULL, changed_at DOUBLE PRECISION NOT NULL)"
        )
        return table, f"CREATE INDEX {INDEX} ON {TABLE} (changed_at)"


_STANDARD: Final = Statements()
_MYSQL: Final = replace(
    _STANDARD,
    # Its default collations hold Order-1 and order-1 for one key.
    key_type=f"{_STANDARD.key_type} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    insert=_STANDARD.insert.replace("INSERT", "INSERT IGNORE").partition(" ON CONFLICT")[0],
    # At its default isolation a plain SELECT may not see the row that the insert has just met.
    find=f"{_STANDARD.find} LOCK IN SHARE MODE",
    forget=f"DELETE FROM {TABLE} WHERE {_OLD} ORDER BY changed_at LIMIT :limit",  # noqa: S608
)
_BY_DATABASE: Final = {
    "postgresql": _STANDARD,
    "sqlite": _STANDARD,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}


def statements_of(database: str) -> Statements:
    """Return the statements of a database.

    database: as SQLAlchemy's dialects and Django's vendors are called.

    Raises `ConfigurationError` for one that the barrier does not know.
    """
    if database not in _BY_DATABASE:
        known = ", ".join(_BY_DATABASE)
        raise ConfigurationError(f"the barrier has no SQL for {database!r}; it knows {known}")
    return _BY_DATABASE[database]
