"""The outbox's table for SQLAlchemy and Alembic."""

from sqlalchemy import Column, Double, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import MEDIUMTEXT
from sqlalchemy.schema import BLANK_SCHEMA

from amends.outbox.statements import INDEX, LONGEST_ERROR, TABLE


def outbox_table(metadata: MetaData) -> Table:
    """Add the outbox's table to an application's metadata, where ``create_all`` and Alembic's autogenerate find it.

    metadata: such as ``Base.metadata``. The table lies in the default schema of the connection, whatever the metadata's is.

    Called again for the same metadata it returns the same table.
    """
    if TABLE in metadata.tables:
        return metadata.tables[TABLE]
    return Table(
        TABLE,
        metadata,
        Column("entry_id", String(32), primary_key=True),
        Column("namespace", String(64), nullable=False),
        Column("saga_id", String(128), nullable=False),
        Column("saga", String(255), nullable=False),
        Column("document", Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb"), nullable=False),
        Column("written_at", Double, nullable=False),
        Column("due_at", Double, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("error", String(LONGEST_ERROR), nullable=False),
        Index(INDEX, "due_at"),
        schema=BLANK_SCHEMA,
        # As in `statements`: the collation that tells the namespaces Shop and shop apart.
        mysql_default_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_default_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
    )
