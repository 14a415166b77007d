"""The outbox's table for SQLAlchemy and Alembic."""

from sqlalchemy import DOUBLE_PRECISION, Column, Index, Integer, MetaData, String, Table, Text
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
        Column("written_at", DOUBLE_PRECISION, nullable=False),
        Column("due_at", DOUBLE_PRECISION, nullable=False),
        Column("tries", Integer, nullable=False),
        Column("error", String(LONGEST_ERROR), nullable=False),
        Index(INDEX, "due_at"),
        schema=BLANK_SCHEMA,
    )
