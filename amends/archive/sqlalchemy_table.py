"""The archive's table for SQLAlchemy and Alembic."""

from typing import Final

from sqlalchemy import Column, Double, Index, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import LONGTEXT
from sqlalchemy.schema import BLANK_SCHEMA

TABLE: Final = "amends_archive"


def archive_table(metadata: MetaData) -> Table:
    """Add the archive's table to an application's metadata, where ``create_all`` and Alembic's autogenerate find it.

    metadata: such as ``Base.metadata``. The table lies in the default schema of the connection, whatever the metadata's is.

    Called again for the same metadata it returns the same table. Its `document` is the JSON of an `ArchivedSaga`; the other
    columns are copies of some of its fields, for queries. Times are seconds since 1970.
    """
    if TABLE in metadata.tables:
        return metadata.tables[TABLE]
    return Table(
        TABLE,
        metadata,
        Column("namespace", String(64), primary_key=True),
        Column("saga_id", String(128), primary_key=True),
        Column("saga", String(255), nullable=False),
        Column("status", String(16), nullable=False),
        Column("outcome", String(255), nullable=True),
        Column("created_at", Double, nullable=True),
        Column("ended_at", Double, nullable=True),
        # MySQL's own TEXT ends at 64 KiB.
        Column("document", Text().with_variant(LONGTEXT(), "mysql", "mariadb"), nullable=False),
        Index(f"{TABLE}_ended_at", "ended_at"),
        schema=BLANK_SCHEMA,
        # The default collations hold the ids Order-1 and order-1 for one.
        mysql_default_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        mariadb_default_charset="utf8mb4",
        mariadb_collate="utf8mb4_bin",
    )
